using Espalier.Axes.Graph;
using Espalier.Axes.Operators.Table;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators.Code;

/// <summary>Operators of ai.onnx.ml whose axes depend on the lengths of lists in attributes.</summary>
internal static class MachineLearningRules
{
    public static void Scaler(NodeContext context)
        => Elementwise(context, context.Length("scale"), context.Attribute("offset")?.Floats.All(o => o == 0) != false);

    /// <summary>What is missing may be written as 0, which is then replaced.</summary>
    public static void Imputer(NodeContext context)
    {
        bool integers = context.Length("imputed_value_int64s") > 0;
        var values = integers ? context.Ints("imputed_value_int64s")!.Select(v => (double)v)
            : context.Attribute("imputed_value_floats")?.Floats.Select(v => (double)v) ?? [];
        double replaced = integers ? context.Int("replaced_value_int64", 0) : context.Attribute("replaced_value_float")?.F ?? 0;
        Elementwise(context, values.Count(), replaced != 0 || values.All(v => v == 0));
    }

    /// <summary>One coefficient is for all features, and several are for one feature each.</summary>
    private static void Elementwise(NodeContext context, int coefficients, bool keepsZero)
    {
        var x = context.Input(0)!.Terms!;
        if (coefficients != 1)
            foreach (var term in x.Length > 1 ? x[1..] : x) context.Freeze(term, RuleApplication.Coefficients);
        context.Output(0, x);
        context.Record.Zero = keepsZero ? ZeroRule.First : ZeroRule.Never;
    }

    /// <summary>A concatenation of rows; what is longer than the attribute says is cut, and what is shorter is filled up.</summary>
    public static void FeatureVectorizer(NodeContext context)
    {
        if (context.Ints("inputdimensions") is not { } sizes || sizes.Length != context.Inputs.Length
            || context.Inputs.Any(i => i?.Terms is not { Length: > 0 }))
        {
            context.Barrier("the sizes of its operands are not known");
            return;
        }
        var parts = new Term[sizes.Length];
        Term? rows = null;
        for (int k = 0; k < parts.Length; k++)
        {
            var x = context.Input(k)!.Terms!;
            var (batch, features) = x.Length == 1 ? (Term.One, x[0]) : (x[0], Term.Product(x[1..]));
            if (rows is not null) context.Same(rows, batch);
            rows ??= batch;
            if (features.Size == sizes[k]) context.UseAttribute("inputdimensions", k, parts[k] = features);
            else
            {
                string reason = $"it is cut or filled up to {sizes[k]}, as the attribute inputdimensions says";
                context.Freeze(features, reason);
                parts[k] = context.Constant(sizes[k], reason);
            }
        }
        context.Output(0, [rows!, Term.Sum(parts)]);
        context.Record.Zero = ZeroRule.Parts;
    }

    /// <summary>One model per intercept; of two classes the first has the negated score of the second.</summary>
    public static void LinearClassifier(NodeContext context)
    {
        int models = context.Length("intercepts");
        if (Classify(context, models == 1 && Labels(context) == 2 ? 2 : models) is var (rows, features))
            context.Record.Macs.Add([rows, features, context.Fresh(models)]);
    }

    /// <summary>
    /// Support vectors are compared with every row, and a sum over those of two classes decides between them: a vector is in as
    /// many sums as there are other classes. Without support vectors it is linear.
    /// </summary>
    public static void SupportVectorClassifier(NodeContext context)
    {
        int classes = Labels(context);
        long vectors = context.Ints("vectors_per_class")?.Aggregate(0L, (sum, n) => sum + Math.Clamp(n, 0, int.MaxValue)) ?? 0;
        bool pairs = vectors > 0 && context.Length("prob_a") == 0;
        if (Classify(context, !pairs ? classes : classes > 2 ? classes * (classes - 1) / 2 : 2) is not var (rows, features)) return;
        context.Record.Macs.Add([rows, features, context.Fresh(vectors > 0 ? vectors : classes)]);
        if (vectors > 0) context.Record.Macs.Add([rows, context.Fresh(vectors), context.Fresh(classes - 1)]);
    }

    private static int Labels(NodeContext context)
        => context.Length("classlabels_strings") is > 0 and var count ? count : context.Length("classlabels_ints");

    /// <summary>A label for every row, and its scores.</summary>
    private static (Term Rows, Term Features)? Classify(NodeContext context, int scores)
    {
        var x = context.Input(0)!.Terms!;
        if (x.Length is not (1 or 2) || scores <= 0)
        {
            context.Barrier(scores <= 0 ? "it does not say how many classes there are" : "it reads rows of features");
            return null;
        }
        var rows = x.Length == 1 ? Term.One : x[0];
        context.Freeze(x[^1], RuleApplication.Coefficients);
        context.Output(0, [rows]);
        if (context.Record.Outputs.Length > 1) context.Output(1, [rows, context.Constant(scores, "one score for each class")]);
        return (rows, x[^1]);
    }
}
