using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Sums;

namespace Espalier.Calibration.Statistics;

/// <summary>Moments of the rows of one site, of every batch index of its weight apart.</summary>
internal sealed class RowSums(RowTap tap, TileProducts products, CancellationToken cancellation)
{
    /// <summary>Most rows that are held out, of all batch indices together.</summary>
    private const int MostHeldOut = 512;

    private readonly List<(MomentSums Sums, RowSample HeldOut)> _parts = [];
    private bool _holdsOut;

    public RowTap Tap => tap;

    /// <summary>What comes from here on is held out.</summary>
    public void HoldOut() => _holdsOut = true;

    public void Add(IReadOnlyDictionary<string, NamedTensor> outputs)
    {
        var rows = outputs[tap.Rows];
        int width = (int)rows.Shape[^1], count = (int)rows.Shape[^2], batches = rows.Shape.Count == 3 ? (int)rows.Shape[0] : 1;
        while (_parts.Count < batches)
            _parts.Add((new(width, 0, products, cancellation), new(width, Math.Max(2, MostHeldOut / batches / 2 * 2))));
        var values = ((float[])rows.Values).AsSpan();
        for (int b = 0; b < batches; b++)
        {
            for (int r = 0; r < count; r++)
            {
                var row = values.Slice(((b * count) + r) * width, width);
                if (_holdsOut) _parts[b].HeldOut.Add(row);
                else _parts[b].Sums.Add(row, []);
            }
        }
    }

    public bool IsFinite => _parts.Count > 0 && _parts.TrueForAll(p => p.Sums.IsFinite);

    /// <summary>Statistics of each consumer.</summary>
    public IEnumerable<ActivationStatistics> Finish()
    {
        var parts = _parts.Select(p => p.Sums.ToStatistics() with { HeldOut = p.HeldOut.Count > 0 ? p.HeldOut : null }).ToList();
        var all = parts.Count == 1 ? parts[0]
            : (tap.Site.PerGroup ? Concatenate(parts) : Accumulator.Pool(parts)) with { PerBatch = parts };
        return tap.Site.Consumers.Select(c => all with { Consumer = c.Id });
    }

    /// <summary>Groups side by side: the features are the elements of the whole patch.</summary>
    private static ActivationStatistics Concatenate(List<ActivationStatistics> parts) => new(-1, parts[0].Count,
        [.. parts.SelectMany(p => p.Mean)], [.. parts.SelectMany(p => p.Variance)], [.. parts.SelectMany(p => p.AbsoluteMean)],
        [.. parts.SelectMany(p => p.SquareMean)]);
}
