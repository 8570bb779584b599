using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Fused;

/// <summary>Rules for operators of ai.onnx.ml, as the plain operators that they stand for.</summary>
internal static class MachineLearningRules
{
    private const string Domain = "ai.onnx.ml";

    public static readonly (string Domain, string Operators, Action<GradientContext> Rule, string Text)[] All =
    [
        (Domain, "ArrayFeatureExtractor", Expansion.By(Extract), "as Gather along the last axis"),
        (Domain, "FeatureVectorizer", Expansion.By(Join), "as Concat"),
        (Domain, "Imputer", Expansion.By(Impute), "dY where nothing was replaced"),
        (Domain, "LinearRegressor", Expansion.By(Regress), "as a product with the coefficients"),
        (Domain, "Normalizer", Expansion.By(Normalize), "as a quotient of the operand and its norm"),
        (Domain, "Scaler", Expansion.By(Scale), "dY times the scale"),
    ];

    private static string Extract(Expansion e)
    {
        string x = e.Node.InTerms(0).Length == 1 ? e.Graph.Unsqueeze(e.In(0), [0]) : e.In(0);
        return e.Graph.Op("Gather", [x, e.Graph.Reshape(e.In(1), -1)], BackwardGraph.Int("axis", -1));
    }

    private static string Join(Expansion e)
    {
        var sizes = e.Node.Ints("inputdimensions") ?? [];
        var parts = Enumerable.Range(0, e.Node.Record.Inputs.Length).Select(k =>
        {
            var terms = e.Node.InTerms(k);
            if (terms.Length != 2 || terms[1].Size is not { } size || k >= sizes.Length || sizes[k] != size)
                throw new NoGradientException("it cuts or fills its operands");
            return e.In(k);
        }).ToArray();
        return e.Graph.Op("Concat", parts, BackwardGraph.Int("axis", 1));
    }

    private static string Impute(Expansion e)
    {
        if (Floats(e, "imputed_value_floats") is not { } values) throw new NoGradientException("it works on integers");
        double replaced = e.Node.Real("replaced_value_float", 0);
        string isMissing = double.IsNaN(replaced) ? e.Graph.Op("IsNaN", [e.In(0)]) : e.Graph.Op("Equal", [e.In(0), e.Number(replaced)]);
        return e.Graph.Op("Where", [isMissing, Vector(e, values), e.In(0)]);
    }

    private static string Regress(Expansion e)
    {
        RefusePost(e);
        var coefficients = Floats(e, "coefficients") ?? throw new NoGradientException("it has no coefficients");
        string x = e.Node.InTerms(0).Length == 1 ? e.Graph.Unsqueeze(e.In(0), [0]) : e.In(0);
        string weight = e.Graph.Reshape(Vector(e, coefficients), e.Node.Int("targets", 1), -1);
        string y = e.Graph.Op("MatMul", [x, e.Graph.Transpose(weight, [1, 0])]);
        return Floats(e, "intercepts") is { } intercepts ? e.Graph.Op("Add", [y, Vector(e, intercepts)]) : y;
    }

    private static string Normalize(Expansion e)
    {
        string norm = e.Node.Text("norm", "MAX"), x = e.In(0), last = e.Graph.Integers(-1);
        string size = norm switch
        {
            "L1" => e.Graph.Op("ReduceL1", [x, last]),
            "L2" => e.Graph.Op("ReduceL2", [x, last]),
            "MAX" => e.Graph.Op("ReduceMax", [x, last]),
            _ => throw new NoGradientException($"its norm is {norm}"),
        };
        return e.Graph.Op("Div", [x, size]);
    }

    private static string Scale(Expansion e)
    {
        string x = Floats(e, "offset") is { } offset ? e.Graph.Op("Sub", [e.In(0), Vector(e, offset)]) : e.In(0);
        return Floats(e, "scale") is { } scale ? e.Graph.Op("Mul", [x, Vector(e, scale)]) : x;
    }

    private static IReadOnlyList<float>? Floats(Expansion e, string attribute)
        => e.Attributes(attribute) is [{ Floats.Count: > 0 } a] ? a.Floats : null;

    private static void RefusePost(Expansion e)
    {
        if (e.Node.Text("post_transform", "NONE") is not "NONE" and var post)
            throw new NoGradientException($"its post_transform is {post}");
    }

    private static string Vector(Expansion e, IReadOnlyList<float> values) => values.Count == 1 ? e.Number(values[0])
        : e.Graph.Op("Concat", [.. values.Select(v => e.Graph.Reshape(e.Number(v), 1))], BackwardGraph.Int("axis", 0));
}
