using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Inference;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Gates;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.TestKit.Oracle;

/// <summary>
/// The promise of exactness, executed: the slim model and the masked dense model run in ONNX Runtime on the same seeded random
/// inputs and must give the same outputs to rounding.
/// </summary>
internal static class SlimOracle
{
    /// <summary>Greatest relative error that counts as rounding in float32.</summary>
    public const double Tolerance = 1e-4;

    /// <summary>The most that may be rounding where a model computes with 16 bits: four steps of float16.</summary>
    private const double HalfTolerance = 4.0 / 1024;

    /// <summary>Picks a seeded random subset of the units of every exact group.</summary>
    /// <param name="analysis">The axes.</param>
    /// <param name="keep">Fraction of units to keep; at least one unit stays.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="which">Groups to prune; all exact ones where null.</param>
    public static Selection Pick(AxisAnalysis analysis, double keep, int seed, Func<Group, bool>? which = null)
    {
        var random = new Random(seed);
        var kept = new SortedDictionary<int, ImmutableArray<int>>();
        foreach (var group in analysis.Groups.Where(g => which?.Invoke(g) ?? g.Exactness == Exactness.Exact))
        {
            int count = Math.Clamp((int)Math.Round(group.Size * keep), Math.Max(1, group.MinKeep), group.Size);
            var units = Enumerable.Range(0, group.Size).ToArray();
            random.Shuffle(units);
            kept[group.Id] = [.. units.Take(count).Order()];
        }
        return new Selection(kept, []);
    }

    /// <summary>Prunes every exact group by the ratio and compares.</summary>
    public static SlimComparison Check(OnnxModel dense, double keep = 0.5, int seed = 1, Func<Group, bool>? which = null,
        IReadOnlyDictionary<string, long>? sizes = null)
    {
        var analysis = AxisAnalysis.Run(dense, new AxisOptions());
        return Check(analysis, Pick(analysis, keep, seed, which), seed, sizes);
    }

    /// <summary>Carries out the selection and compares; a difference is an assertion failure that shows the groups.</summary>
    public static SlimComparison Check(AxisAnalysis analysis, Selection selection, int seed = 1,
        IReadOnlyDictionary<string, long>? sizes = null)
    {
        var result = Measure(analysis, selection, seed, sizes);
        Assert.True(result.IsExact, Describe(result));
        Assert.True(result.IsTwin, $"slim and gated twin differ by {result.Twin}\n{Describe(result)}");
        Figures.Check(analysis, selection, result.Slim, sizes);
        return result;
    }

    /// <summary>Carries out the selection and gives the error.</summary>
    /// <param name="analysis">The axes.</param>
    /// <param name="selection">What stays.</param>
    /// <param name="seed">Seed of the inputs.</param>
    /// <param name="sizes">Sizes of dynamic dimensions.</param>
    /// <param name="mayMagnify">
    /// Whether a difference passes that the model itself shows by rounding: only for networks of unknown make. Models that
    /// compute with 16 bits have that door by themselves, up to four steps of their type.
    /// </param>
    public static SlimComparison Measure(
        AxisAnalysis analysis, Selection selection, int seed = 1, IReadOnlyDictionary<string, long>? sizes = null, bool mayMagnify = false)
    {
        var dense = analysis.Model;
        var slim = Apply(analysis, selection);
        var removal = RemovalOf(slim);
        using var masked = MaskedModel.Build(dense, removal, slim.Model);
        // Where inputs and outputs shrank, all three models have those of the slim one.
        using var before = MaskedModel.Unmasked(dense, removal) is { } unmasked ? MaskedModel.Build(dense, unmasked, slim.Model) : null;
        var inputs = SeededInputs.For(masked, seed, sizes);
        try
        {
            var expected = Run(masked, inputs, "masked", analysis, selection);
            var actual = Run(slim.Model, inputs, "slim", analysis, selection);
            var unpruned = before is null ? expected : Run(before, inputs, "dense", analysis, selection);
            var (error, worst) = Difference(expected, actual);
            var effect = Difference(unpruned, expected).Error;
            var twin = slim.Interface.Count > 0 ? null : Twin(analysis, selection, inputs, slim.Model, actual);
            bool rounded = error <= Tolerance && !(twin > Tolerance);
            OracleTally.Count(seen: removal.IsEmpty || effect > 0);
            var found = new SlimComparison(analysis, selection, slim) { Error = error, Effect = effect, Worst = worst, Twin = twin };
            if (rounded || !double.IsFinite(error)) return found;
            // Far outside of what it was trained on, or where peaks are compared, a model magnifies rounding: is it as far from itself?
            var noise = Noise(masked, inputs, expected, seed);
            bool isOpen = mayMagnify || (ComputesInHalf(masked.Proto.Graph) && Math.Max(error, twin ?? 0) <= HalfTolerance);
            bool explained = isOpen && (error <= Tolerance
                || (error <= 2 * noise.Greatest && Beyond(expected, actual).Count() <= 2 * noise.Moved && effect > 10 * error));
            OracleTally.Door(Math.Max(error, twin ?? 0), worst, explained);
            return found with { Noise = explained ? noise.Greatest : 0 };
        }
        finally
        {
            foreach (var value in inputs.Values) value.Dispose();
        }
    }

    /// <summary>What surgery says that it did, for a judge who knows names only.</summary>
    public static Removal RemovalOf(SlimModel slim) => new()
    {
        Slices = slim.Removed,
        Bypassed = slim.Bypassed,
        Renamed = slim.Renamed,
        Factored = [.. slim.Factored.Select(f => (f.Key, f.Value.Down, f.Value.Up))],
    };

    private static readonly ConditionalWeakTable<AxisAnalysis, GatedTwin> Twins = [];

    /// <summary>How far the dense model with gates is from the slim one: it shares no step with surgery or masking.</summary>
    private static double? Twin(AxisAnalysis analysis, Selection selection, IReadOnlyDictionary<string, OrtValue> inputs, OnnxModel model,
        IReadOnlyList<OutputTensor> slim)
    {
        if (analysis.Model.Proto.OpsetImport.Any(o => o.Domain is "" or "ai.onnx" && o.Version < 7)) return null;
        var twin = Twins.GetValue(analysis, a => GatedTwin.Build(a));
        if (selection.Kept.Any(k => k.Value.Length < analysis.Groups[k.Key].Size && twin.Refused.ContainsKey(k.Key))) return null;
        var gated = new Dictionary<string, OrtValue>(inputs, StringComparer.Ordinal);
        var gates = twin.Settings(selection).ToDictionary(g => g.Key, g => OrtValue.CreateTensorValueFromMemory(g.Value, [g.Value.Length]));
        try
        {
            foreach (var (name, value) in gates) gated.Add(name, value);
            // Between a quantiser and its inverse a gate keeps kernels from being fused, and what is half of a step is rounded
            // the other way.
            bool plain = model.Proto.Graph.Node.Any(n => n.OpType == "QuantizeLinear");
            if (plain) slim = Run(model, inputs, "slim", analysis, selection, plain);
            var names = slim.Select(o => o.Name).ToHashSet(StringComparer.Ordinal);
            return Difference(slim,
                [.. Run(twin.Model, gated, "gated", analysis, selection, plain).Where(o => names.Contains(o.Name))]).Error;
        }
        finally
        {
            foreach (var value in gates.Values) value.Dispose();
        }
    }

    /// <summary>Greatest relative difference of two runs: the largest |a − b| over the largest |a| of the same output.</summary>
    public static (double Error, string Worst) Difference(IReadOnlyList<OutputTensor> expected, IReadOnlyList<OutputTensor> actual)
    {
        double worst = 0;
        string where = "";
        if (expected.Count != actual.Count) return (double.PositiveInfinity, $"{expected.Count} outputs against {actual.Count}");
        for (int o = 0; o < expected.Count; o++)
        {
            var (a, b) = (expected[o], actual[o]);
            double error = 0, scale = 1e-6;
            if (!a.Shape.SequenceEqual(b.Shape))
                return (double.PositiveInfinity, $"{a.Name}: shape [{string.Join(",", a.Shape)}] against [{string.Join(",", b.Shape)}]");
            for (int i = 0; i < a.Values.Length; i++)
            {
                if (double.IsFinite(a.Values[i])) scale = Math.Max(scale, Math.Abs(a.Values[i]));
                // Equal infinities and NaN in both are no difference; anything else that is not finite is.
                double d = a.Values[i].Equals(b.Values[i]) ? 0 : Math.Abs(a.Values[i] - b.Values[i]);
                error = double.IsNaN(d) ? double.PositiveInfinity : Math.Max(error, d);
            }
            if (error / scale <= worst) continue;
            int beyond = Enumerable.Range(0, a.Values.Length)
                .Count(i => !(Math.Abs(a.Values[i] - b.Values[i]) <= Tolerance * scale) && !a.Values[i].Equals(b.Values[i]));
            (worst, where) = (error / scale, beyond == 0 ? a.Name : $"{a.Name} ({beyond} of {a.Values.Length} elements)");
        }
        return (worst, where);
    }

    /// <summary>Output elements that differ by more than the tolerance.</summary>
    private static IEnumerable<(int Output, int Element)> Beyond(IReadOnlyList<OutputTensor> expected, IReadOnlyList<OutputTensor> actual)
    {
        for (int o = 0; o < expected.Count; o++)
        {
            double scale = expected[o].Values.Where(double.IsFinite).Select(Math.Abs).Append(1e-6).Max();
            for (int i = 0; i < expected[o].Values.Length; i++)
                if (Math.Abs(expected[o].Values[i] - actual[o].Values[i]) > Tolerance * scale) yield return (o, i);
        }
    }

    /// <summary>
    /// How far the masked model is from itself when its inputs change in their last bits and its kernels sum in another order.
    /// </summary>
    private static (double Greatest, int Moved) Noise(OnnxModel masked, IReadOnlyDictionary<string, OrtValue> inputs,
        IReadOnlyList<OutputTensor> expected, int seed)
    {
        double greatest = 0;
        var elements = new HashSet<(int, int)>();
        var random = new Random(seed);
        // The last bit of what the model computes with: half a step of float16 is 2⁻¹¹ of a number.
        float step = ComputesInHalf(masked.Proto.Graph) ? 1f / 2048 : 4e-6f;
        float Moved(float v) => v * (1 + ((random.Next(3) - 1) * step));
        for (int trial = 0; trial < 12; trial++)
        {
            var moved = new Dictionary<string, OrtValue>(StringComparer.Ordinal);
            foreach (var (name, value) in inputs)
            {
                moved[name] = value;
                if (!value.IsTensor) continue;
                var info = value.GetTensorTypeAndShape();
                moved[name] = info.ElementDataType switch
                {
                    Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Float
                        => OrtValue.CreateTensorValueFromMemory(value.GetTensorDataAsSpan<float>().ToArray().Select(Moved)
                            .ToArray(), info.Shape),
                    // Rounding takes it to the number itself or to a neighbour.
                    Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Float16
                        => OrtValue.CreateTensorValueFromMemory(value.GetTensorDataAsSpan<Float16>().ToArray()
                            .Select(v => (Float16)Moved((float)v)).ToArray(), info.Shape),
                    _ => value,
                };
            }
            var outputs = Ort.Run(masked, moved, plain: trial % 2 == 0);
            foreach (var (name, value) in moved) if (value != inputs[name]) value.Dispose();
            var (error, _) = Difference(expected, outputs);
            if (!double.IsFinite(error)) continue;
            greatest = Math.Max(greatest, error);
            elements.UnionWith(Beyond(expected, outputs));
        }
        return (greatest, elements.Count);
    }

    /// <summary>Whether some operator of the main graph reads numbers of 16 bits, and does not only widen them.</summary>
    private static bool ComputesInHalf(GraphProto graph)
    {
        static bool IsHalf(long type)
            => (TensorProto.Types.DataType)type is TensorProto.Types.DataType.Float16 or TensorProto.Types.DataType.Bfloat16;
        var half = graph.Initializer.Where(t => IsHalf(t.DataType)).Select(t => t.Name)
            .Concat(graph.Input.Where(i => IsHalf(i.Type?.TensorType?.ElemType ?? 0)).Select(i => i.Name))
            .Concat(graph.Node.Where(n =>
                n.Attribute.Any(a => (n.OpType == "Cast" && a.Name == "to" && IsHalf(a.I))
                    || (n.OpType == "Constant" && IsHalf(a.T?.DataType ?? 0)))).Select(n => n.Output[0]))
            .ToHashSet(StringComparer.Ordinal);
        return graph.Node.Any(n => n.OpType != "Cast" && n.Input.Any(half.Contains));
    }

    /// <summary>The groups, their terms and the error, for a failing test.</summary>
    public static string Describe(SlimComparison result)
        => string.Create(CultureInfo.InvariantCulture,
            $"slim and masked differ by {result.Error:g3} (tolerance {Tolerance:g1}) at {result.Worst}; dense and masked differ by "
                + $"{result.Effect:g3}\n")
            + Describe(result.Analysis, result.Selection);

    /// <summary>The groups with what the selection keeps of them.</summary>
    public static string Describe(AxisAnalysis analysis, Selection? selection = null)
    {
        var text = new StringBuilder();
        foreach (var group in analysis.Groups)
        {
            text.Append(CultureInfo.InvariantCulture, $"  #{group.Id} {group.Name} {group.Kind} {group.Size} {group.Exactness}");
            if (selection?.Kept.TryGetValue(group.Id, out var kept) == true && kept.Length < group.Size)
                text.Append(CultureInfo.InvariantCulture, $" keeps {kept.Length}: {string.Join(",", kept.Take(24))}");
            text.AppendLine(group.Reason is null ? "" : $" ({group.Reason})");
            foreach (var o in group.Occurrences.Take(40))
                text.AppendLine(CultureInfo.InvariantCulture, $"      {o.Tensor}:{o.Axis} = {o.Term}");
        }
        if (selection is { RemovedBlocks.IsDefaultOrEmpty: false })
            text.AppendLine("  removed: "
                + string.Join(", ", selection.RemovedBlocks.Select(id => analysis.Blocks.First(b => b.Id == id).Name)));
        return text.ToString();
    }

    private static SlimModel Apply(AxisAnalysis analysis, Selection selection)
    {
        try
        {
            return Surgery.Apply(analysis, selection);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Assert.Fail($"surgery failed: {e}\n{Describe(analysis, selection)}");
            throw;
        }
    }

    private static IReadOnlyList<OutputTensor> Run(OnnxModel model, IReadOnlyDictionary<string, OrtValue> inputs, string what,
        AxisAnalysis analysis, Selection selection, bool plain = false)
    {
        try
        {
            return Ort.Run(model, inputs, strict: what != "dense" && analysis.Model.Path is null, plain);
        }
        catch (OnnxRuntimeException e)
        {
            Assert.Fail($"the {what} model does not run: {e.Message}\n{Describe(analysis, selection)}");
            throw;
        }
    }
}
