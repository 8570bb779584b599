using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Allocators;

/// <summary>
/// Sizes of one population with their divergences, which never fall: a loss below the dense model's counts as none, for a gain is no
/// room for losses elsewhere. What is far from where a choice stands is measured when the choice comes near.
/// </summary>
internal sealed class ErrorCurve
{
    /// <summary>Kept fractions that are measured; between them the divergence is taken to be linear.</summary>
    private static readonly double[] Measured = [0.875, 0.75, 0.5, 0.25, 0.125];

    /// <summary>Of these, those that are measured at first.</summary>
    private const int AtFirst = 3;

    /// <summary>Choices that are measured of one population at most.</summary>
    public static int MostMeasured => Measured.Length;

    private readonly Population? _population;
    private readonly Func<IReadOnlyDictionary<int, int>, double>? _divergence;
    private readonly IReadOnlyList<Dictionary<int, int>> _sizes = [];
    private readonly List<(double Share, double Divergence)> _known = [(1, 0)];
    private IReadOnlyList<Level> _levels = [];
    private int _measured;

    /// <summary>A curve that is known.</summary>
    public ErrorCurve(IReadOnlyList<Level> levels) => (_levels, _measured) = (levels, Measured.Length);

    /// <param name="divergence">Divergence of the outputs under a choice.</param>
    public ErrorCurve(Population population, Func<IReadOnlyDictionary<int, int>, double> divergence)
        => (_population, _divergence, _sizes) = (population, divergence, ErrorDatabase.Sizes(population));

    /// <summary>All sizes, from all units down; below what is measured the last slope goes on, twice as steep.</summary>
    public IReadOnlyList<Level> All
    {
        get
        {
            Measure(Measured.Length);
            return _levels;
        }
    }

    /// <summary>One of them.</summary>
    public Level this[int level] => Until(level)[level];

    /// <summary>The sizes that can be judged from one of them on.</summary>
    public IReadOnlyList<Level> Beyond(int level) => Until(level + 1);

    /// <summary>Measures as far as a size, if there is one.</summary>
    private IReadOnlyList<Level> Until(int level)
    {
        Measure(AtFirst);
        while (level >= _levels.Count && _measured < Measured.Length) Measure(_measured + 1);
        return _levels;
    }

    private void Measure(int count)
    {
        if (_measured >= count) return;
        for (; _measured < count; _measured++)
        {
            var counts = _population!.Counts(Measured[_measured]);
            double kept = _population.Share(counts);
            if (kept < _known[^1].Share) _known.Add((kept, Math.Max(_known[^1].Divergence, _divergence!(counts))));
        }
        _levels = [.. _sizes.Where(s => count == Measured.Length || _population!.Share(s) >= _known[^1].Share)
            .Select(s => new Level(s, Interpolate(_population!.Share(s))))];
    }

    private double Interpolate(double kept)
    {
        for (int k = 1; k < _known.Count; k++)
        {
            var (a, b) = (_known[k - 1], _known[k]);
            if (kept >= b.Share) return b.Divergence + ((a.Divergence - b.Divergence) * (kept - b.Share) / (a.Share - b.Share));
        }
        if (_known.Count < 2) return 0;
        var (before, end) = (_known[^2], _known[^1]);
        return end.Divergence + (2 * (end.Divergence - before.Divergence) / (before.Share - end.Share) * (end.Share - kept));
    }
}
