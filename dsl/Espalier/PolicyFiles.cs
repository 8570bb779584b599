namespace Espalier;

/// <summary>
/// Where the build puts what it makes of a policy, relative to the program's folder: the generated code, the build and the tool agree here.
/// </summary>
public static class PolicyFiles
{
    /// <summary>The folder.</summary>
    public const string Folder = "espalier";

    /// <summary>The slim model.</summary>
    /// <param name="policy">Full name of the policy class, e.g. <c>Shop.SlimBert</c>; nested classes are joined by a dot.</param>
    public static string Model(string policy) => $"{Folder}/{policy}.onnx";

    /// <summary>The report (<see cref="ReportJson"/>).</summary>
    /// <param name="policy">Full name of the policy class.</param>
    public static string Report(string policy) => $"{Folder}/{policy}.report.json";

    /// <summary>The graph diff (<see cref="DiffJson"/>).</summary>
    /// <param name="policy">Full name of the policy class.</param>
    public static string Diff(string policy) => $"{Folder}/{policy}.diff.json";

    /// <summary>The dense model, where the project's <c>OnnxModel</c> item has <c>CopyDense="true"</c>.</summary>
    /// <param name="model">The model's path relative to the project.</param>
    public static string Dense(string model) => model.Replace('\\', '/');

    /// <summary>
    /// Key, before the policy's full name, of the assembly metadata that holds its plan as JSON. The text has no positions, so
    /// it is the same after an edit elsewhere in the file: what decides whether to slim again hashes it as it stands.
    /// </summary>
    public const string PlanKey = "Espalier.Plan:";

    /// <summary>
    /// Key, before the policy's full name, of the assembly metadata that holds the places of its rules, for
    /// <see cref="PlanJson.Parse(string, string)"/>.
    /// </summary>
    public const string LocationsKey = "Espalier.Locations:";

    /// <summary>Full path of a file beside the program.</summary>
    /// <param name="relative">Path from one of the methods above.</param>
    public static string FullPath(string relative)
        => Path.Combine(AppContext.BaseDirectory, relative.Replace('/', Path.DirectorySeparatorChar));

    /// <summary>
    /// Full path of a file of the project's that lies beside the program, such as a tokenizer. While the build runs a calibration
    /// method nothing is beside the program yet: then it is the project's own file.
    /// </summary>
    /// <param name="relative">Its path in the output.</param>
    public static string Find(string relative)
        => AppContext.GetData(BuildFileKey + relative.Replace('\\', '/')) as string ?? FullPath(relative);

    /// <summary>Key of the process's data, before a path in the output, of where the build has that file.</summary>
    internal const string BuildFileKey = "Espalier.File:";

    /// <summary>Reads the report that the build wrote beside the slim model.</summary>
    /// <param name="policy">Full name of the policy class.</param>
    /// <exception cref="EspalierException">The file is missing or malformed.</exception>
    public static PruningReport ReadReport(string policy) => ReportJson.Parse(Read(Report(policy), policy));

    /// <summary>Reads the graph diff that the build wrote beside the slim model.</summary>
    /// <param name="policy">Full name of the policy class.</param>
    /// <exception cref="EspalierException">The file is missing or malformed.</exception>
    public static GraphDiff ReadDiff(string policy) => DiffJson.Parse(Read(Diff(policy), policy));

    private static string Read(string relative, string policy)
    {
        var path = FullPath(relative);
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EspalierException($"'{path}' cannot be read: {e.Message} The build writes it when it slims the model of policy "
                + $"{policy}; build the project with the package Espalier.Build and EspalierEnabled not false.", e);
        }
    }
}
