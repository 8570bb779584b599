using System.Text.Json;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>Data that a policy's own method gives, and projects that reference the policy's.</summary>
public sealed class CalibratedBuildTests(SharedFeed feed)
{
    private const string Policy = """
        using Espalier;

        namespace Library;

        [PruningPolicy("models/tiny.onnx")]
        public static partial class SlimTiny
        {
            [Prune(Axis.Channels, "*", Keep = 0.5, RoundTo = 1)]
            [Score(Criterion.Variance), Compensate(Compensation.LeastSquares)]
            public static partial Rule Channels { get; }

            [Calibration(Samples = 6)]
            static IEnumerable<Inputs> Images()
            {
                if (!File.Exists("models/tiny.onnx")) throw new InvalidOperationException("not in the project's folder");
                var random = new Random(Seeds.First);
                for (var i = 0; i < 6; i++)
                {
                    var image = new float[3 * 8 * 8];
                    for (var j = 0; j < image.Length; j++) image[j] = (float)random.NextDouble();
                    yield return new(new TensorData<float>(image, [1, 3, 8, 8]));
                }
            }
        }

        [PruningPolicy("models/tiny.onnx", Publish = false)]
        public static partial class Tried
        {
            [Prune(Axis.Channels, "*", Keep = 0.75, RoundTo = 1)]
            public static partial Rule Channels { get; }
        }
        """;

    /// <summary>A program that has the library as a package has its models beside it too.</summary>
    private void IsPacked(Workspace library)
    {
        library.Run("pack", "-c", "Release", "-nologo", "--no-build", "-p:PackageVersion=1.0.0-e2e", "-o", "../packed").Succeeds();
        var app = new Workspace(feed.Value, "Of a package")
            .Project("""<PackageReference Include="Library" Version="1.0.0-e2e" />""",
                properties: "<RestoreAdditionalProjectSources>../packed</RestoreAdditionalProjectSources>")
            .Write("Program.cs", """
            using var slim = Library.SlimTiny.Open();
            using var dense = Library.SlimTiny.OpenDense();
            Console.WriteLine("both open");
            """);
        app.Run("run", "-c", "Release").Succeeds().Says("both open");
        Assert.False(File.Exists(app.Output("espalier/Library.Tried.onnx")), "Publish = false: in no package");
    }

    [Fact]
    public void A_calibration_method_runs_and_models_reach_every_framework_and_referencing_projects()
    {
        var library = new Workspace(feed.Value, "Library").Model()
            .Project("""<OnnxModel Include="models/*.onnx" CopyDense="true" Dimensions="batch=1" />""",
                "<TargetFrameworks>net8.0;net10.0</TargetFrameworks>", "<OutputType>Library</OutputType><LangVersion>13</LangVersion>"
                    + "<EspalierModelPackage>true</EspalierModelPackage>")
            .Write("Policy.cs", Policy)
            .Write("Seeds.cs", "namespace Library; static class Seeds { public static int First => int.Parse(\"3\"); }")
            .Write("Other.cs", "namespace Library; public static class Other { }");
        var app = new Workspace(feed.Value, "Referencing")
            .Project($"""<ProjectReference Include="../{library.Name}/{library.Name}.csproj" />""")
            .Write("Program.cs", """
            using Library;

            Console.WriteLine($"slim {File.Exists(Espalier.PolicyFiles.FullPath(Espalier.PolicyFiles.Model(SlimTiny.Plan.Policy)))}");
            using var dense = SlimTiny.OpenDense();
            Console.WriteLine($"notes {string.Join(' ', SlimTiny.Plan.Report.Notes)}");
            """);
        app.Build().Succeeds();
        app.Run(app.Output("Referencing.dll")).Succeeds().Says("slim True");
        Assert.True(File.Exists(app.Output("models/tiny.onnx")), "CopyDense");
        app.Run("publish", "-c", "Release", "-nologo", "--no-build", "-o", "published").Succeeds();
        Assert.True(File.Exists(app["published/espalier/Library.SlimTiny.onnx"]), "publish of a project that references the policy's");
        Assert.True(File.Exists(library.Output("espalier/Library.SlimTiny.onnx")));
        foreach (string kept in new[] { "Library.Tried.onnx", "Library.Tried.report.json" })
        {
            Assert.True(File.Exists(library.Output("espalier/" + kept)), "Publish = false: in the project's own output");
            Assert.False(File.Exists(app.Output("espalier/" + kept)), "Publish = false: not in that of others");
            Assert.False(File.Exists(app["published/espalier/" + kept]), "Publish = false: not published");
        }
        library.Build("--no-restore", "-f", "net8.0").Succeeds();
        Assert.Equal(File.ReadAllBytes(library.Output("espalier/Library.SlimTiny.onnx")),
            File.ReadAllBytes(library.Output("espalier/Library.SlimTiny.onnx", "net8.0")));

        IsModelPackage(app.Output("espalier/Library.SlimTiny.package"), library["models/tiny.onnx"]);
        Assert.True(File.Exists(app["published/espalier/Library.SlimTiny.package/slim/Library.SlimTiny.onnx"]), "packages are published");

        IsPacked(library);

        // Code that calibration does not reach; then code that it does.
        var slimmed = Workspace.Time(library.Made("Library.SlimTiny.onnx"));
        library.Write("Other.cs",
            "namespace Library; public static class Added { public static int More(string text) => text.Length; } public static class "
                + "Other { public static int[] Numbers => [1, 2, 3, 4]; }");
        library.Build("--no-restore", "-f", "net10.0").Succeeds();
        Assert.Equal(slimmed, Workspace.Time(library.Made("Library.SlimTiny.onnx")));
        library.Write("Seeds.cs", "namespace Library; static class Seeds { public static int First => int.Parse(\"4\"); }");
        library.Build("--no-restore", "-f", "net10.0").Succeeds();
        Assert.NotEqual(slimmed, Workspace.Time(library.Made("Library.SlimTiny.onnx")));
    }

    /// <summary>The layout that ONNX Runtime states: unknown fields and paths that lead nowhere are errors there.</summary>
    private static void IsModelPackage(string folder, string dense)
    {
        using var manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "manifest.json")));
        Assert.Equal(["schema_version", "package_name", "description", "layout", "components"],
            manifest.RootElement.EnumerateObject().Select(p => p.Name));
        Assert.Equal("1.0", manifest.RootElement.GetProperty("schema_version").GetString());
        var variants = manifest.RootElement.GetProperty("components").GetProperty("model").GetProperty("variants");
        Assert.Equal(["slim", "dense"], variants.EnumerateObject().Select(v => v.Name));
        string[] models = [.. variants.EnumerateObject().Select(v => Path.Combine(folder,
            v.Value.GetProperty("variant_directory").GetString()!,
            v.Value.GetProperty("executor_info").GetProperty("ort").GetProperty("model_file").GetString()!))];
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder, "..", "Library.SlimTiny.onnx")), File.ReadAllBytes(models[0]));
        Assert.Equal(File.ReadAllBytes(dense), File.ReadAllBytes(models[1]));
    }
}
