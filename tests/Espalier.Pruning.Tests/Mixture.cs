using Espalier.Onnx;

namespace Espalier.Pruning.Tests;

/// <summary>A mixture of experts.</summary>
internal static class Mixture
{
    public const int Experts = 6, Width = 5, Hidden = 7, Outputs = 3;

    /// <summary>
    /// A mixture behind a layer of its own: every expert is evaluated, weighted by the softmax of the router, or with
    /// <paramref name="top"/> by what of it is at least the top-th.
    /// </summary>
    public static OnnxModel Create(int seed, Action<float[], float[], float[]>? edit = null, int top = 0, float[]? bias = null)
    {
        var g = new GraphBuilder(seed);
        var random = new Random(seed);
        string x = g.Relu(g.Linear(g.Input("x", "batch", Planted.Inputs), "in", Planted.Inputs, Width));
        float[] router = Planted.Floats(random, Width * Experts), up = Planted.Floats(random, Experts * Width * Hidden),
            down = Planted.Floats(random, Experts * Hidden * Outputs);
        edit?.Invoke(router, up, down);
        string logits = g.MatMul(x, g.Floats("router.weight", router, Width, Experts));
        if (bias is not null) logits = g.Add(logits, g.Floats("router.bias", bias, Experts));
        string p = g.Rename(g.Softmax(logits), "p");
        if (top > 0)
        {
            string[] chosen = g.Nodes("TopK", 2, [p, g.Longs(top)]);
            string least = g.Node("Gather", [chosen[0], g.Longs(top - 1)], ("axis", 1));
            p = g.Mul(p, g.Node("Cast", [g.Node("Not", [g.Node("Less", [p, least])])], ("to", 1)));
        }
        string h = g.Relu(g.MatMul(g.Unsqueeze(x, 0), g.Floats("up", up, Experts, Width, Hidden)));
        string y = g.MatMul(h, g.Floats("down", down, Experts, Hidden, Outputs));
        y = g.Node("ReduceSum", [g.Mul(y, g.Unsqueeze(g.Transpose(p, 1, 0), 2)), g.Longs(0)], ("keepdims", 0));
        return g.Output(g.Rename(y, "y"), "batch", Outputs).Build();
    }

    /// <summary>Expert <paramref name="to"/> becomes expert <paramref name="from"/>.</summary>
    public static void Repeat(float[] router, float[] up, float[] down, int from, int to)
    {
        for (int i = 0; i < Width; i++) router[(i * Experts) + to] = router[(i * Experts) + from];
        Array.Copy(up, from * Width * Hidden, up, to * Width * Hidden, Width * Hidden);
        Array.Copy(down, from * Hidden * Outputs, down, to * Hidden * Outputs, Hidden * Outputs);
    }
}
