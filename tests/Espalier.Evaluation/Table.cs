using System.Collections.Concurrent;

namespace Espalier.Evaluation;

/// <summary>Measures what a file of results does not have yet.</summary>
/// <param name="version">The product that is measured: see <see cref="CodeVersion"/>.</param>
internal sealed class Table(string version, Options options)
{
    /// <summary>What one process measures.</summary>
    private sealed record Work(string Network, Preset Preset, int Draws, IReadOnlyList<double> Ratios, IReadOnlyList<Split> Splits,
        int Most);

    public string Version => version;

    /// <summary>The dense networks, and every method at every budget.</summary>
    public void Measure(Results results, IReadOnlyList<string> networks)
    {
        // The row of the dense network: what is left of everything, whoever removes nothing.
        Measure(results, [.. networks.Select(n => new Work(n, Preset.Magnitude, 1, [1], options.Splits, options.Most))]);
        Measure(results, [.. networks.SelectMany(n => options.Presets
            .Select(p => new Work(n, p, Measurement.Draws(p, options.Draws), options.Ratios, options.Splits, options.Most)))]);
    }

    /// <summary>Whoever leads on some of the test items need not lead on all of them.</summary>
    public void MeasureCloser(Results results, Results closer, IReadOnlyList<string> networks)
    {
        foreach (string network in networks.Where(n => Task.Items(n) > options.Most))
        {
            // Chosen by the validation where there is one, so that the test decides nothing.
            var chosen = results.Of(Split.Validation);
            if (!chosen.Rows.Any(r => r.Network == network && r.Ratio < 1)) chosen = results.Of(Split.Test);
            Measure(closer, [.. Standing.Leaders(chosen, network).Select(l =>
                new Work(network, l.Preset, Measurement.Draws(l.Preset, options.Draws), l.Ratios, [Split.Test], Task.Items(network)))]);
        }
    }

    /// <summary>As many at a time as there are cores, one thread for each: processor times are then those of one thread.</summary>
    private void Measure(Results into, IReadOnlyList<Work> all)
    {
        bool Has(Work w, double ratio, int draw) => w.Splits.All(s => into.Has(new(w.Network, w.Preset, ratio, draw)
        { Score = 0, Error = 0, Macs = 0, Most = w.Most, Split = s }, options.Fresh ? version : null));
        var left = all.Select(w => w with { Ratios = [.. w.Ratios.Where(r => Enumerable.Range(0, w.Draws).Any(d => !Has(w, r, d)))] })
            .Where(w => w.Ratios.Count > 0);
        Parallel.ForEach(Partitioner.Create(left.ToList(), EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, w =>
        {
            Console.Error.WriteLine($"{w.Network} {w.Preset}");
            var lines = Children.Run([w.Network, "--child", "--presets", $"{w.Preset}", "--ratios", string.Join(',', w.Ratios), "--draws",
                $"{w.Draws}", "--most", $"{w.Most}", "--split", string.Join(',', w.Splits)]);
            lock (into) into.Add(lines.Select(Row.Parse).Select(r => r with { Most = w.Most, Version = version }));
        });
    }
}
