using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>
/// Graphs composed from recipes: a recipe is a list of numbers, so that a failing one shrinks to a short list. The rest of a number by the
/// count of steps says which step, the quotient which variant of it: widths, counts, orders.
/// </summary>
internal static class RandomGraphs
{
    /// <summary>Variants of every step.</summary>
    public const int Variants = 12;

    /// <summary>Length of the sequences when they run.</summary>
    public const int Length = 6;

    /// <summary>Number of image steps.</summary>
    public static int ImageSteps => ImageSteps_.Length;

    /// <summary>Number of sequence steps.</summary>
    public static int SequenceSteps => SequenceSteps_.Length;

    private static (string Name, Func<RandomState, RandomState> Apply)[] ImageSteps_ { get; } = [.. RandomImages.Steps,
        .. RandomImages.Shapes];

    private static (string Name, Func<RandomState, RandomState> Apply)[] SequenceSteps_ { get; } = [.. RandomSequences.Steps,
        .. RandomAttention.Steps];

    /// <summary>An image network; its last two convolutions are always an exact group of 10 on <c>tail1.weight</c>.</summary>
    public static GraphBuilder Image(IReadOnlyList<int> recipe, int seed)
    {
        var g = new GraphBuilder(seed, storage: Storage(seed));
        var state = new RandomState(g, g.Conv(g.Input("x", "batch", 3, 8, 8), "stem", 3, 8), 8, 0);
        foreach (int step in recipe) state = Apply(ImageSteps_, state, step);
        g.Output(g.Conv(g.Relu(g.Conv(state.X, "tail1", state.Channels, 10, 1)), "tail2", 10, 4), "batch", 4, state.Size, state.Size);
        return g;
    }

    /// <summary>
    /// A sequence network; its last two layers are always an exact group of 10 on <c>tail1.weight</c>. Every other seed has a
    /// dynamic length.
    /// </summary>
    public static GraphBuilder Sequence(IReadOnlyList<int> recipe, int seed)
    {
        var g = new GraphBuilder(seed, storage: Storage(seed));
        bool dynamic = seed % 2 == 1;
        var state = new RandomState(g, g.Linear(g.Input("x", "batch", dynamic ? "sequence" : Length, 6), "stem", 6, 12), 12, 0)
        { Dynamic = dynamic };
        foreach (int step in recipe) state = Apply(SequenceSteps_, state, step);
        g.Output(g.Linear(g.Relu(g.Linear(state.X, "tail1", state.Channels, 10)), "tail2", 10, 4));
        return g;
    }

    private static WeightStorage Storage(int seed)
        => (seed / 2 % 7) switch { 0 => WeightStorage.ConstantNode, 1 => WeightStorage.Overridable, _ => WeightStorage.Initializer };

    private static RandomState Apply((string Name, Func<RandomState, RandomState> Apply)[] steps, RandomState state, int step)
        => steps[step % steps.Length].Apply(state with { Variant = step / steps.Length }) with { Number = state.Number + 1 };

    /// <summary>The steps of a recipe, for messages.</summary>
    public static string Describe(IReadOnlyList<int> recipe, bool image)
    {
        int steps = image ? ImageSteps : SequenceSteps;
        string Name(int i) => (image ? ImageSteps_[i % steps] : SequenceSteps_[i % steps]).Name;
        return string.Join(" > ", recipe.Select(i => $"{Name(i)}/{i / steps}")) + $" [{string.Join(", ", recipe)}]";
    }
}

/// <summary>What a step starts from.</summary>
internal sealed record RandomState(GraphBuilder G, string X, int Channels, int Number, int Size = 8)
{
    /// <summary>Which variant of the step.</summary>
    public int Variant { get; init; }

    /// <summary>Whether the length of the sequence is a dynamic dimension.</summary>
    public bool Dynamic { get; init; }

    /// <summary>A name of this step's own.</summary>
    public string Name(string part) => $"s{Number}.{part}";

    /// <summary>One of several values, by the variant.</summary>
    public T Pick<T>(params ReadOnlySpan<T> values) => values[Variant % values.Length];

    /// <summary>Another tensor with another width.</summary>
    public RandomState With(string x, int channels) => this with { X = x, Channels = channels };

    /// <summary>Another tensor of the same width.</summary>
    public RandomState With(string x) => this with { X = x };
}

/// <summary>Element-wise operators of the table, as steps of any network.</summary>
internal static class RandomElements
{
    /// <summary>Operators of one operand; those that grow or have no value everywhere get one between −1 and 1.</summary>
    private static readonly string[] Unary =
    [
        "Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Erf", "Sin", "Cos", "Asinh", "Atan", "Elu", "Celu", "Selu", "LeakyRelu", "HardSigmoid",
        "HardSwish", "Softplus", "Softsign", "Identity", "Dropout",
        "ThresholdedRelu", "Shrink", "com.microsoft::Gelu", "com.microsoft::QuickGelu", "com.microsoft::FastGelu", "*Exp", "*Sinh", "*Cosh",
        "*Acos", "*Asin", "*Tan", "*Reciprocal", "*Sqrt", "*Log",
    ];

    private static readonly string[] Binary = ["Add", "Sub", "Mul", "Max", "Min", "Mean", "Sum", "Div", "PRelu", "Where", "Less", "Pow"];

    /// <summary>How many variants all operators need.</summary>
    public static int Count => Unary.Length + Binary.Length;

    /// <summary>Applies two operators of one operand that the step's number and variant choose.</summary>
    public static string One(RandomState s)
    {
        var g = s.G;
        string x = s.X;
        foreach (int at in (int[])[(s.Variant * 7) + s.Number, (s.Variant * 11) + (5 * s.Number) + 3])
        {
            string op = Unary[at % Unary.Length];
            if (op.StartsWith('*'))
            {
                x = op is "*Reciprocal" or "*Log"
                    ? g.Node("Exp", g.Node("Tanh", x))
                    : op == "*Sqrt" ? g.Node("Abs", x) : g.Node("Softsign", x);
                op = op[1..];
            }
            x = g.Node(op, x);
        }
        return x;
    }

    /// <summary>Applies an operator of two operands that the step's number and variant choose.</summary>
    public static string Two(RandomState s, string a, string b)
    {
        var g = s.G;
        string op = Binary[((s.Variant * 5) + s.Number) % Binary.Length];
        return op switch
        {
            "Div" => g.Node(op, [a, g.Add(g.Node("Abs", b), g.Scalar(g.Fresh("eps"), 1))]),
            "Pow" => g.Node(op, [g.Sigmoid(a), g.Node("Softsign", b)]),
            "Where" => g.Node(op, [g.Node("Greater", [a, g.Scalar(g.Fresh("zero"), 0)]), a, b]),
            "Less" => g.Mul(a, g.Node("Cast", g.Node(op, [a, b]), ("to", Onnx.TensorProto.Types.DataType.Float))),
            _ => g.Node(op, [a, b]),
        };
    }
}
