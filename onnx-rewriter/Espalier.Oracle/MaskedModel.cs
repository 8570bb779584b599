using Espalier.Onnx;

namespace Espalier.Oracle;

/// <summary>
/// What a slim model is compared with: the dense model with removed slices masked, skipped sublayers skipped, factored weights replaced
/// by the product of their factors, and the slim model's inputs and outputs. It is made from names and indices alone and shares no code
/// with surgery.
/// </summary>
internal static class MaskedModel
{
    /// <inheritdoc cref="Build(OnnxModel, Removal, OnnxModel?)"/>
    /// <param name="slices">See <see cref="Removal.Slices"/>.</param>
    public static OnnxModel Build(OnnxModel dense, Slices slices) => Build(dense, new Removal { Slices = slices });

    /// <param name="dense">The dense model; it stays as it is and must stay open while the result is used.</param>
    /// <param name="removal">What went from it.</param>
    /// <param name="slim">The slim model, of which the factors are read; may be null where no weight was factored.</param>
    /// <returns>A model of which only the masked tensors are new, and they are produced while writing.</returns>
    /// <exception cref="EspalierException">The removal does not fit the model, or cannot be carried out without knowing more than
    /// names.</exception>
    public static OnnxModel Build(OnnxModel dense, Removal removal, OnnxModel? slim = null)
    {
        ArgumentNullException.ThrowIfNull(dense);
        ArgumentNullException.ThrowIfNull(removal);
        dense = FunctionInliner.Inline(dense);
        var edited = dense.Proto.Clone();
        var face = new MaskedInterface(edited.Graph, removal);
        new SliceMasks(dense, face.Without(removal.Slices)).Apply(edited.Graph);
        if (removal.Factored.Count > 0)
        {
            ArgumentNullException.ThrowIfNull(slim);
            new FactorProducts(dense, slim, removal.Slices).Put(edited.Graph, removal.Factored);
        }
        foreach (var block in removal.Bypassed) Skip(edited.Graph, block);
        Settle(edited.Graph);
        if (removal.Slices.Count > 0) new Quotients(dense).Settle(edited.Graph);
        face.Adapt();
        return dense.Derive(edited);
    }

    /// <summary>
    /// The part of a removal without which nothing is seen of it: units where some went, else blocks and factors. What is left over makes
    /// the model in which nothing is masked, with the slim model's inputs and outputs.
    /// </summary>
    /// <returns>Null where nothing went, or where inputs went with a block, without which no such model runs.</returns>
    public static Removal? Unmasked(OnnxModel dense, Removal removal)
    {
        ArgumentNullException.ThrowIfNull(dense);
        ArgumentNullException.ThrowIfNull(removal);
        var face = new MaskedInterface(dense.Proto.Graph, removal);
        // Factors are of what is left of their weights: those stay as they are.
        var stay = face.Only.Keys.Concat(removal.Factored.Select(f => f.Weight)).ToHashSet(StringComparer.Ordinal);
        if (removal.Slices.Keys.Any(n => !stay.Contains(n)))
            return removal with { Slices = removal.Slices.Where(s => stay.Contains(s.Key)).ToDictionary(s => s.Key, s => s.Value) };
        return removal.Bypassed.Count + removal.Factored.Count == 0 || removal.Renamed.Any(n => n.Slim is null) ? null
            : removal with { Bypassed = [], Factored = [] };
    }

    /// <summary>The part of a removal that changes inputs and outputs only.</summary>
    public static Removal InterfaceOf(OnnxModel dense, Removal removal)
    {
        ArgumentNullException.ThrowIfNull(dense);
        ArgumentNullException.ThrowIfNull(removal);
        return new() { Slices = new MaskedInterface(dense.Proto.Graph, removal).Only, Renamed = removal.Renamed };
    }

    /// <summary>How far the product of two factors is from what is left of the weight: ‖W − AB‖ / ‖W‖, by name of the weight.</summary>
    /// <inheritdoc cref="Build(OnnxModel, Removal, OnnxModel?)"/>
    public static IReadOnlyDictionary<string, double> Distances(OnnxModel dense, Removal removal, OnnxModel slim)
    {
        ArgumentNullException.ThrowIfNull(removal);
        var products = new FactorProducts(FunctionInliner.Inline(dense), slim, removal.Slices);
        return removal.Factored.ToDictionary(f => f.Weight, products.Distance, StringComparer.Ordinal);
    }

    /// <summary>Whether masking changes an element of a weight: false where what goes is zero in the dense model already.</summary>
    /// <inheritdoc cref="Build(OnnxModel, Removal, OnnxModel?)"/>
    public static bool ChangesWeights(OnnxModel dense, Removal removal)
    {
        ArgumentNullException.ThrowIfNull(removal);
        dense = FunctionInliner.Inline(dense);
        var graph = dense.Proto.Graph.Clone();
        var masks = new SliceMasks(dense, new MaskedInterface(graph, removal).Without(removal.Slices));
        masks.Apply(graph);
        return masks.ChangedSomething;
    }

    /// <summary>
    /// A summand goes from its sum; a sum of one is that one, and a sum of nothing goes from the sums that read it in turn. That they are
    /// sums is looked up, not believed.
    /// </summary>
    private static void Skip(GraphProto graph, BlockBypass block)
    {
        var open = new Stack<(string Branch, NodeProto Sum)>();
        open.Push((block.Branch, graph.Node.FirstOrDefault(n => n.Output.Contains(block.Sum))
            ?? throw new EspalierException(
                $"The report says that '{block.Name}' is added in '{block.Sum}', but no node of the model makes it. "
                + "Was it written for this model?")));
        while (open.TryPop(out var at))
        {
            var (branch, sum) = at;
            if (sum.OpType is not ("Add" or "Sum") || sum.Domain is not ("" or "ai.onnx") || !sum.Input.Remove(branch))
                throw new EspalierException(
                    $"The report says that '{block.Name}' is the summand '{branch}' of '{sum.Output[0]}', but that is made by "
                    + $"{sum.OpType} '{sum.Name}', which does not add it: to leave it out is not to remove a residual.");
            if (sum.Input.Count > 0) continue;
            graph.Node.Remove(sum);
            foreach (var reader in graph.Node.Where(n => n.Input.Contains(sum.Output[0]))) open.Push((sum.Output[0], reader));
        }
    }

    /// <summary>A sum of one summand is that one.</summary>
    private static void Settle(GraphProto graph)
    {
        foreach (var sum in graph.Node.Where(n => n.OpType == "Add" && n.Input.Count == 1))
        {
            sum.OpType = "Identity";
            sum.Attribute.Clear();
        }
    }
}
