using Espalier.Axes;
using Espalier.Onnx;

namespace Espalier.Calibration;

/// <summary>Turns consumers into sites.</summary>
internal sealed class Sites(IReadOnlyDictionary<string, IReadOnlyList<long>> weights, IReadOnlyDictionary<string, int> ranks, List<string> notes)
{
    private readonly Dictionary<string, Site> _sites = new(StringComparer.Ordinal);
    private readonly List<Site> _ordered = [];

    public IReadOnlyList<Site> All => _ordered;

    public void Add(Consumer consumer, bool covariance)
    {
        var site = consumer.Kind == ConsumerKind.Convolution && consumer.Node.Proto.OpType != "ConvTranspose"
            ? Convolution(consumer)
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

    // A transposed convolution contracts channels at one position: for the input's side it is a matrix product.
    private Site? Product(Consumer c)
    {
        if (!ranks.TryGetValue(c.Activation, out int rank)) return Skip(c, $"the rank of '{c.Activation}' is unknown");
        if (c.ActivationAxis < 0 || c.ActivationAxis >= rank) return Skip(c, $"'{c.Activation}' has no axis {c.ActivationAxis}");
        var shape = weights.GetValueOrDefault(c.Parameter);
        if (shape is null || c.ParameterAxis >= shape.Count) return Skip(c, $"'{c.Parameter}' is no weight of the main graph");

        int batch = -1;
        long batches = 1;
        // Stacked weights [batch, in, out] line up with the activation's axes from the right.
        if (c.Batched && c.Node.Proto.OpType == "MatMul" && shape.Count == 3 && rank >= 3 && rank - 3 != c.ActivationAxis)
        {
            int stacked = Enumerable.Range(0, 3).Except([c.ParameterAxis, c.OutputAxis]).First();
            if (stacked == 0) (batch, batches) = (rank - 3, shape[0]);
        }
        long features = shape[c.ParameterAxis];
        if (c.Node.Proto.OpType == "ConvTranspose") features = shape[0];
        return new Site
        {
            Key = $"product {c.Activation} {c.ActivationAxis} {batch}",
            Activation = c.Activation, Axis = c.ActivationAxis, Rank = rank, Features = features, BatchAxis = batch, Batches = batches,
        };
    }

    private Site? Convolution(Consumer c)
    {
        var node = c.Node.Proto;
        var shape = weights.GetValueOrDefault(c.Parameter);
        if (shape is null || shape.Count < 3) return Skip(c, $"the weight '{c.Parameter}' is not in the main graph");
        long groups = node.Int("group", 1);
        long channels = checked(shape[1] * groups);
        long[] kernel = node.Ints("kernel_shape") ?? [.. shape.Skip(2)];
        if (kernel.Length != shape.Count - 2 || kernel.Any(k => k < 1)) return Skip(c, "its kernel is not that of its weight");
        var attributes = node.Attribute.Where(a => Window.Placing.Contains(a.Name, StringComparer.Ordinal)).OrderBy(a => a.Name, StringComparer.Ordinal).ToList();
        var window = new Window(channels, groups, kernel, attributes);
        return new Site
        {
            Key = $"window {c.Activation} {groups} {string.Join('x', kernel)} {string.Join(' ', attributes)}",
            Activation = c.Activation, Axis = 1, Rank = shape.Count, Features = shape[1] * window.Positions, Window = window,
        };
    }

    private Site? Skip(Consumer c, string why)
    {
        notes.Add($"No statistics for {c.Node}: {why}.");
        return null;
    }
}
