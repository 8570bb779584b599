using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules;

/// <summary>
/// Of an operand: the other operands and dY under the labels of the operand. Labels that only the operand has repeat the gradient; what
/// an ellipsis stands for gets labels of its own.
/// </summary>
internal static class EinsumRule
{
    public static void Einsum(GradientContext context)
    {
        var (operands, result) = Labels(context);
        for (int k = 0; k < operands.Length; k++)
        {
            if (!context.Wants(k)) continue;
            string own = operands[k];
            if (own.Distinct().Count() < own.Length) throw new NoGradientException($"the label of operand {k} repeats: a diagonal");
            int[] others = [.. Enumerable.Range(0, operands.Length).Where(j => j != k)];
            var parts = others.Select(j => Whole(context, j, operands[j])).Append((context.Gradient(0)!, result)).ToList();
            string seen = string.Concat(parts.Select(p => p.Item2));
            string kept = string.Concat(own.Where((l, i) => seen.Contains(l, StringComparison.Ordinal) && !context.InTerms(k)[i].IsOne));
            var graph = context.Graph;
            string gradient = graph.Op("Einsum", [.. parts.Select(p => p.Item1)],
                BackwardGraph.Text("equation", string.Join(',', parts.Select(p => p.Item2)) + "->" + kept));
            if (kept.Length < own.Length)
                gradient = graph.Op("Expand", [graph.Unsqueeze(gradient, [.. own.Index().Where(l => !kept.Contains(l.Item))
                    .Select(l => (long)l.Index)]), graph.Shape(context.In(k))]);
            context.Give(k, gradient);
        }
    }

    // An operand without the axes of size 1, along which it may repeat.
    private static (string, string) Whole(GradientContext context, int operand, string labels)
    {
        var terms = context.InTerms(operand);
        long[] ones = [.. Enumerable.Range(0, terms.Length).Where(a => terms[a].IsOne).Select(a => (long)a)];
        if (ones.Length == 0) return (context.In(operand), labels);
        return (context.Graph.Op("Squeeze", [context.In(operand), context.Graph.Integers(ones)]),
            string.Concat(labels.Where((_, i) => !ones.Contains(i))));
    }

    private static (string[] Operands, string Result) Labels(GradientContext context)
    {
        string equation = context.Text("equation", "").Replace(" ", "", StringComparison.Ordinal);
        string[] sides = equation.Split("->");
        string[] operands = sides[0].Split(',');
        string result = sides.Length > 1 ? sides[1] : (equation.Contains('.', StringComparison.Ordinal) ? "..." : "")
            + string.Concat(string.Concat(operands).Where(char.IsLetter).GroupBy(c => c)
                .Where(g => g.Count() == 1).Select(g => g.Key).Order());
        string free = string.Concat("ABCDEFGHIJKLMNOPQRSTUVWXYZ".Where(l => !equation.Contains(l, StringComparison.Ordinal)));
        int Axes(int operand) => context.InTerms(operand).Length - operands[operand].Count(char.IsLetter);
        int most = Enumerable.Range(0, operands.Length).Where(k => HasEllipsis(operands[k])).Select(Axes).DefaultIfEmpty(0).Max();
        // The last axes of every ellipsis are the same.
        string Full(string labels, int count) => labels.Replace("...", free[(most - count)..most], StringComparison.Ordinal);
        return ([.. operands.Select((o, k) => HasEllipsis(o) ? Full(o, Axes(k)) : o)], Full(result, most));
    }

    private static bool HasEllipsis(string labels) => labels.Contains('.', StringComparison.Ordinal);
}
