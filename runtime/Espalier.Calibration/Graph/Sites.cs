using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Windows;

namespace Espalier.Calibration.Graph;

/// <summary>Turns consumers into sites.</summary>
internal sealed class Sites(IReadOnlyDictionary<string, IReadOnlyList<long>> weights, IReadOnlyDictionary<string, long[]> shapes,
    Positions positions, List<string> notes)
{
    /// <summary>A size that nothing is checked against.</summary>
    public const long Unknown = -1;

    private readonly Dictionary<string, Site> _sites = new(StringComparer.Ordinal);
    private readonly List<Site> _ordered = [];
    private readonly SortedDictionary<string, long> _spaced = new(StringComparer.Ordinal);

    public IReadOnlyList<Site> All => _ordered;

    public void Add(Consumer consumer, bool covariance)
    {
        var site = consumer.Kind == ConsumerKind.Convolution && consumer.Node.Proto.OpType != "ConvTranspose"
            ? Convolution(consumer, covariance)
            : Product(consumer);
        if (site is null) return;
        if (!_sites.TryGetValue(site.Key, out var known))
        {
            _sites.Add(site.Key, known = site);
            _ordered.Add(site);
        }
        known.Consumers.Add(consumer);
        known.Covariance |= covariance;
    }

    /// <summary>An axis of an activation, whatever reads it.</summary>
    public void Add(TensorAxis place)
    {
        if (!shapes.TryGetValue(place.Tensor, out var shape) || place.Axis >= shape.Length || place.Within >= shape.Length)
        {
            notes.Add($"No statistics of '{place.Tensor}': it is not in the main graph.");
            return;
        }
        // Not shared with consumers: theirs may have a covariance, which takes passes of its own.
        var site = new Site
        {
            Key = $"axis {place.Tensor} {place.Axis} {place.Within}",
            Activation = place.Tensor,
            Axis = place.Axis,
            Within = place.Within,
            Rank = shape.Length,
            Features = shape[place.Axis] * (place.Within < 0 ? 1 : shape[place.Within]),
            Place = place,
        };
        if (_sites.TryAdd(site.Key, site)) _ordered.Add(site);
    }

    // A transposed convolution contracts channels at one position: for the input's side it is a matrix product.
    private Site? Product(Consumer c)
    {
        if (!shapes.TryGetValue(c.Activation, out var activation)) return Skip(c, $"'{c.Activation}' is not in the main graph");
        int rank = activation.Length;
        if (c.ActivationAxis < 0 || c.ActivationAxis >= rank) return Skip(c, $"'{c.Activation}' has no axis {c.ActivationAxis}");
        var shape = weights.GetValueOrDefault(c.Parameter);
        if (shape is null || c.ParameterAxis >= shape.Count) return Skip(c, $"'{c.Parameter}' is no weight of the main graph");

        int batch = -1;
        // Stacked weights [batch, in, out] line up with the activation's axes from the right.
        if (c.Batched && c.Node.Proto.OpType == "MatMul" && shape.Count == 3 && rank >= 3 && rank - 3 != c.ActivationAxis)
        {
            int stacked = Enumerable.Range(0, 3).Except([c.ParameterAxis, c.OutputAxis]).First();
            if (stacked == 0) batch = rank - 3;
        }
        long features = shape[c.ParameterAxis];
        if (c.Node.Proto.OpType == "ConvTranspose") features = shape[0];
        return new Site
        {
            Key = $"product {c.Activation} {c.ActivationAxis} {batch}",
            Activation = c.Activation,
            Axis = c.ActivationAxis,
            Rank = rank,
            Features = features,
            BatchAxis = batch,
        };
    }

    private Site? Convolution(Consumer c, bool covariance)
    {
        var node = c.Node.Proto;
        var shape = weights.GetValueOrDefault(c.Parameter);
        if (shape is null || shape.Count < 3) return Skip(c, $"the weight '{c.Parameter}' is not in the main graph");
        long groups = node.Int("group", 1);
        long channels = checked(shape[1] * groups);
        long[] kernel = node.Ints("kernel_shape") ?? [.. shape.Skip(2)];
        if (kernel.Length != shape.Count - 2 || kernel.Any(k => k < 1)) return Skip(c, "its kernel is not that of its weight");
        var attributes = node.Attribute.Where(a => Window.Placing.Contains(a.Name, StringComparer.Ordinal))
            .OrderBy(a => a.Name, StringComparer.Ordinal).ToList();
        if (!shapes.TryGetValue(c.Activation, out var activation) || activation.Length != shape.Count
            || (activation[1] != channels && activation[1] != Unknown))
            return Skip(c, $"'{c.Activation}' has not the shape that its weight wants");
        var window = new Window(channels, groups, kernel, attributes);
        window = positions.Take(window, activation, covariance, shape[1] * window.Positions);
        if (window.Every > 1) _spaced[c.Activation] = window.Every;
        return new Site
        {
            Key = $"window {c.Activation} {groups} {string.Join('x', kernel)} {string.Join(' ', attributes)} {window.Sampling is null}",
            Activation = c.Activation,
            Axis = 1,
            Rank = shape.Count,
            Features = shape[1] * window.Positions,
            Window = window,
        };
    }

    /// <summary>Says which maps are not read at every position.</summary>
    public void NoteSpacing()
    {
        if (_spaced.Count == 0) return;
        string more = _spaced.Count > 3 ? $" and {_spaced.Count - 3} more" : "";
        notes.Add($"Large feature maps are read at one position in {_spaced.Values.Min()} to {_spaced.Values.Max()} along each axis: "
            + $"{string.Join(", ", _spaced.Keys.Take(3).Select(k => $"'{k}'"))}{more}.");
    }

    private Site? Skip(Consumer c, string why)
    {
        notes.Add($"No statistics for {c.Node}: {why}.");
        return null;
    }
}
