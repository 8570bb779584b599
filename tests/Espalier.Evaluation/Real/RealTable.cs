using Espalier.Onnx;

namespace Espalier.Evaluation.Real;

/// <summary>Measures what the file of results does not have yet, one process after the other.</summary>
internal static class RealTable
{
    public static void Run(IReadOnlyList<RealNetwork> networks, RealOptions options, RealResults results, Places places)
    {
        string version = CodeVersion.Of(places.Root);
        foreach (var network in networks)
        {
            if (network.Missing() is { } missing)
            {
                Console.Error.WriteLine($"{network.Name} is skipped: {missing}");
                continue;
            }
            foreach (var key in Keys(network, options).Distinct())
            {
                Split[] splits = [.. options.Splits.Where(s => !results.Has(key, s, options.Fresh ? version : null))];
                if (splits.Length == 0) continue;
                Console.Error.WriteLine(key.ToString().Replace('\t', ' '));
                foreach (var row in Measure(network, key, splits, options, places)) results.Add(row with { Version = version });
            }
        }
    }

    /// <summary>The dense network first; then all methods at a bound before the next bound.</summary>
    private static IEnumerable<RealKey> Keys(RealNetwork network, RealOptions options)
    {
        yield return new(network.Name, Preset.Magnitude, 0, 0, 1);
        foreach (double ratio in options.Ratios)
            foreach (var preset in options.Presets)
            {
                bool looks = Presets.Get(preset).NeedsCalibration;
                foreach (int samples in looks ? options.Samples ?? [network.Samples, RealOptions.FewSamples] : [0])
                    foreach (int draw in looks || preset == Preset.Random ? options.Draws : [0])
                        yield return new(network.Name, preset, Math.Min(samples, network.Samples), draw, ratio);
            }
    }

    private static IEnumerable<RealRow> Measure(RealNetwork network, RealKey key, Split[] splits, RealOptions options, Places places)
    {
        string path = places.Made("slim", FormattableString.Invariant($"{Environment.ProcessId}.onnx"));
        using var dense = OnnxModel.Open(network.Model);
        OnnxModel? slim = null;
        try
        {
            var slimmed = key.IsDense
                ? new Slimmed { Macs = 1, Bytes = 1 }
                : SlimmingProcess.Run(network, key, path, new(options.MostMegabytes, options.MostMinutes));
            slim = key.IsDense ? dense : slimmed.Refusal.Length > 0 ? null : OnnxModel.Open(path);
            var (times, slow) = slim is null || key.IsDense || key.Draw > 0 || !options.Timed ? ([], "")
                : TimeRatios.Measure(network, dense, slim);
            if (slow.Length > 0) slimmed = slimmed with { Notes = slimmed.Notes.Length == 0 ? slow : $"{slimmed.Notes}; {slow}" };
            foreach (var split in splits)
                yield return new(key, split, slimmed, times, slim is null ? [] : network.Measure(slim, split), "");
        }
        finally
        {
            if (slim is not null && slim != dense) slim.Dispose();
            File.Delete(path);
        }
    }
}
