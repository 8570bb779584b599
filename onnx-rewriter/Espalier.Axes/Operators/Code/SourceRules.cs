using Espalier.Axes.Graph;
using Espalier.Axes.Sizes;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.Onnx.Limits;

namespace Espalier.Axes.Operators.Code;

/// <summary>Operators that make tensors, or resample them.</summary>
internal static class SourceRules
{
    private const int MostSizes = 64;

    public static void Constant(NodeContext context)
    {
        var output = context.Record.Outputs[0];
        var tensor = context.Attribute("value")?.T;
        if (tensor is null)
        {
            tensor = new TensorProto { Name = output.Name };
            foreach (var a in context.Node.Attribute)
            {
                switch (a.Name)
                {
                    case "value_float": tensor.DataType = 1; tensor.FloatData.Add(a.F); break;
                    case "value_floats": tensor.DataType = 1; tensor.FloatData.Add(a.Floats); tensor.Dims.Add(a.Floats.Count); break;
                    case "value_int": tensor.DataType = 7; tensor.Int64Data.Add(a.I); break;
                    case "value_ints": tensor.DataType = 7; tensor.Int64Data.Add(a.Ints); tensor.Dims.Add(a.Ints.Count); break;
                    default:
                        context.Barrier($"a constant of the kind {a.Name}");
                        return;
                }
            }
        }
        SetData(context.State, output, tensor);
        // The other forms of the attribute are not sliced: only `value` is a tensor of the file.
        if (context.Attribute("value") is null)
        {
            output.IsParameter = false;
            foreach (var term in output.Terms!) context.Freeze(term, "a constant that is not a tensor");
        }
        context.Output(0, output.Terms, output.Value);
    }

    /// <summary>Makes a tensor of the file known: a fresh factor for every axis.</summary>
    public static void SetData(InferenceState state, TensorState tensor, TensorProto data)
    {
        tensor.Data = data;
        tensor.IsConstant = tensor.IsParameter = true;
        tensor.ElementType = data.DataType;
        tensor.Terms = [.. data.Dims.Select(d => state.Unifier.Fresh(d))];
        // Longer lists, and matrices, may be data that is sliced; what asks for their numbers finds them (ConstantEvaluator).
        if (data.Dims.Count <= 1) tensor.Value = ConstantSizes.OfConstant(state.Model, data, MostSizes);
    }

    public static void ConstantOfShape(NodeContext context)
    {
        var output = context.Record.Outputs[0];
        if (context.Known(0) is not { } shape)
        {
            if (context.Input(0)?.Terms is [var length] && length.Size is { } rank && rank <= OnnxLimits.Default.Rank)
                context.Output(0,
                    [.. Enumerable.Range(0, (int)rank).Select(_ => context.Constant(null, "its size is computed from data"))]);
            else context.Output(0, null);
            return;
        }
        Term[] terms = [.. shape.Elements.Select(e => ShapeRules.OfSize(context, e))];
        context.Use(0, terms);
        context.Output(0, terms);
        // With a constant shape this is a weight whose elements are all equal; the masked model masks it like one.
        output.IsConstant = output.IsParameter = context.Input(0)!.IsConstant;
        if (context.Attribute("value")?.T is not { } fill || context.Floats(fill)?.All(v => v == 0) == true)
            context.Record.ZeroTerms.AddRange(terms);
    }

    /// <summary>
    /// Shape and Size of a known rank are arithmetic (see <see cref="ValueRules"/>); longer results are no sizes that could be tracked.
    /// </summary>
    public static void Sizes(NodeContext context)
    {
        foreach (var term in context.Input(0)!.Terms!) context.Freeze(term, "its size becomes data");
        context.Output(0, context.Node.OpType == "Size" ? [] : [context.Constant(null, "a vector of sizes")]);
    }

    public static void Range(NodeContext context)
    {
        var limit = context.Input(1)?.Value?.Elements[0];
        bool whole = context.Input(0)?.Value?.Numbers is [0] && context.Input(2)?.Value?.Numbers is [1];
        var term = whole ? ShapeRules.OfSize(context, limit) : context.Fresh(Count());
        context.Freeze(term, "its positions are counted");
        context.Output(0, [term]);

        // Constants of any type: max(⌈(limit − start) / delta⌉, 0).
        long? Count()
        {
            var numbers = Enumerable.Range(0, 3).Select(k => context.Floats(context.Input(k)?.Data)).ToArray();
            return numbers is [[var start], [var end], [var delta]] && delta != 0
                ? Math.Max(0, (long)Math.Ceiling(((double)end - start) / delta))
                : null;
        }
    }

    /// <summary>ONNX Resize and Upsample: axes that keep their size pass; the others are positions.</summary>
    public static void Resize(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        bool old = context.Node.OpType == "Upsample" || context.Opset < 11;
        int scaleInput = old ? 1 : 2;
        float[]? scales = context.Attribute("scales") is { } a ? [.. a.Floats]
            : context.Floats(context.Input(scaleInput)?.Data);
        if (scales?.Length == 0) scales = null;
        var sizes = old ? null : context.Known(3);
        long[]? listed = context.Ints("axes");
        var terms = new Term[x.Length];
        var required = new Term?[sizes?.Elements.Length ?? 0];
        // Operator set 18: with another policy than stretch the sizes are bounds, and what comes out follows from all of them.
        bool keepsRatio = sizes is not null && context.Text("keep_aspect_ratio_policy", "stretch") != "stretch";
        for (int k = 0; k < x.Length; k++)
        {
            int element = listed is null ? k : Array.FindIndex(listed, l => NodeContext.Axis(l, x.Length) == k);
            bool same = element < 0;
            long? size = null;
            if (element >= 0 && scales is not null && element < scales.Length)
            {
                same = scales[element] == 1;
                size = x[k].Nominal is { } before ? (long)Math.Floor(before * (double)scales[element]) : null;
            }
            else if (element >= 0 && sizes is not null && element < sizes.Elements.Length && sizes.Elements[element]?.Dense is { } wanted)
            {
                same = wanted.Equals(Polynomial.Of(x[k], f => f.Size));
                if (same) required[element] = x[k];
                size = wanted.Value;
            }
            if (same && (element < 0 || !keepsRatio))
            {
                terms[k] = x[k];
                continue;
            }
            context.Freeze(x[k], "resampled along this axis");
            if (keepsRatio) size = null;
            bool known = x[k].Size is not null || (sizes is not null && size is not null);
            terms[k] = context.Constant(known ? size : null, "resampled along this axis", size);
        }
        if (sizes is not null) context.Use(3, required);
        context.Output(0, terms);
        // Outside its region of interest this mode fills in a value of its own.
        context.Record.Zero = context.Text("coordinate_transformation_mode", "") == "tf_crop_and_resize" ? ZeroRule.Never : ZeroRule.First;
    }

    /// <summary>
    /// ONNX Einsum: every label is an axis; labels that the result lacks are summed; an ellipsis is as many labels as are left.
    /// </summary>
    public static void Einsum(NodeContext context)
    {
        var sides = context.Text("equation", "").Replace(" ", "", StringComparison.Ordinal).Split("->");
        var operands = sides[0].Split(',');
        int most = 0;
        for (int k = 0; k < operands.Length && operands.Length == context.Inputs.Length; k++)
        {
            if (!operands[k].Contains("...", StringComparison.Ordinal)) continue;
            int rest = Math.Max(0, (context.Input(k)?.Terms?.Length ?? 0) - (operands[k].Length - 3));
            operands[k] = operands[k].Replace("...", Broadcasting(rest), StringComparison.Ordinal);
            most = Math.Max(most, rest);
        }
        if (operands.Any(o => o.Contains('.')) || operands.Length != context.Inputs.Length
            || operands.Where((o, k) => o.Length != context.Input(k)?.Terms?.Length || o.Distinct().Count() != o.Length).Any())
        {
            context.Barrier("an equation that the rule does not read");
            return;
        }
        string result = sides.Length > 1 ? sides[1].Replace("...", Broadcasting(most), StringComparison.Ordinal)
            : Broadcasting(most)
                + string.Concat(string.Concat(operands).Where(char.IsAsciiLetter).GroupBy(c => c).Where(g => g.Count() == 1)
                    .Select(g => g.Key).Order());
        var labels = new Dictionary<char, Term>();
        for (int k = 0; k < operands.Length; k++)
            for (int j = 0; j < operands[k].Length; j++)
            {
                var axis = context.Input(k)!.Terms![j];
                labels[operands[k][j]] = labels.TryGetValue(operands[k][j], out var known) ? context.Broadcast(known, axis) : axis;
            }
        if (!result.All(labels.ContainsKey)) throw new MisfitException("its result has a label that no operand has");
        foreach (char label in labels.Keys.Where(l => !result.Contains(l)))
            context.Record.Sums.Add((labels[label], [.. Enumerable.Range(0, operands.Length).Where(k => operands[k].Contains(label))]));
        if (operands.Length == 2)
            context.Record.Contraction = new(0, 1, -1,
                [.. labels.Select(l => (l.Value, At(0, l.Key), At(1, l.Key), result.IndexOf(l.Key)))]);
        context.Record.Macs.Add([.. labels.Values]);
        context.Output(0, [.. result.Select(c => labels[c])]);
        context.Record.Zero = ZeroRule.Any;

        // Labels of their own, counted from the right, as the axes of an ellipsis broadcast.
        static string Broadcasting(int count) => string.Concat(Enumerable.Range(1, count).Reverse().Select(k => (char)('\ue000' + k)));

        int At(int operand, char label)
            => operands[operand].IndexOf(label) is >= 0 and var at && !context.Input(operand)!.Terms![at].IsOne ? at : -1;
    }
}
