using System.Globalization;
using Espalier.Onnx;

namespace Espalier.Evaluation.Real;

/// <summary>
/// The verb <c>real</c>: <c>real data</c> fetches the data; <c>real --network N --export FOLDER</c> writes the model and its
/// calibration data; <c>real --network N --model SLIM</c> compares a model with the dense one; <c>real table</c> measures what
/// real.tsv does not have yet and writes real.md anew.
/// </summary>
internal static class RealCommand
{
    public static int Run(string[] args)
    {
        try
        {
            if (args is ["child", .. var arguments])
            {
                SlimmingProcess.Answer(arguments);
                return 0;
            }
            var options = RealOptions.Parse(args);
            var places = Places.Default(options.Cache);
            if (options.Data || Debian.Missing(places) is not null) Debian.Fetch(places, what => Console.Error.WriteLine(what));
            var networks = options.Networks.Select(n => RealNetwork.Get(places, n)).ToList();
            if (options.Export is { } folder) networks.ForEach(n => Export(n, folder, options));
            foreach (string model in options.Models) networks.ForEach(n => Compare(n, model, options));
            if (options.Table) Table(networks.Count > 0 ? networks : RealNetwork.All(places), options, places);
            return 0;
        }
        catch (Exception e) when (e is EspalierException or IOException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }

    private static void Export(RealNetwork network, string folder, RealOptions options)
    {
        Demand(network);
        Directory.CreateDirectory(folder);
        Copy(network.Model, Path.Combine(folder, "model.onnx"));
        foreach (int samples in options.Samples ?? [network.Samples, RealOptions.FewSamples])
            foreach (int draw in options.Draws)
            {
                string file = network.Calibration(samples, draw);
                Copy(file, Path.Combine(folder, FormattableString.Invariant($"calibration-{samples}-{draw}{Path.GetExtension(file)}")));
            }
    }

    private static void Table(IReadOnlyList<RealNetwork> networks, RealOptions options, Places places)
    {
        string folder = Path.Combine(places.Root, "tests", "Espalier.Evaluation");
        var results = new RealResults(Path.Combine(folder, "real.tsv"));
        RealTable.Run(networks, options, results, places);
        RealPage.Write(Path.Combine(folder, "real.md"), RealNetwork.All(places), results, CodeVersion.Of(places.Root));
    }

    private static void Copy(string from, string to)
    {
        File.Copy(from, to, overwrite: true);
        Console.WriteLine(to);
    }

    private static void Compare(RealNetwork network, string path, RealOptions options)
    {
        Demand(network);
        using var model = OnnxModel.Open(path == "dense" ? network.Model : path);
        foreach (var split in options.Splits)
        {
            var figures = network.Measure(model, split);
            Console.WriteLine($"{network.Name} {split.ToString().ToLowerInvariant()} "
                + string.Join("  ", figures.Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Name} {f.Value:0.0000}"))));
        }
    }

    private static void Demand(RealNetwork network)
    {
        if (network.Missing() is { } missing) throw new EspalierException(missing);
    }
}
