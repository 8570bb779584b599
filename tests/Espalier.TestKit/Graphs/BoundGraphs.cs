namespace Espalier.TestKit.Graphs;

/// <summary>Small files that could demand much: the tests bound what is held for them, the benchmarks say what they take.</summary>
internal static class BoundGraphs
{
    /// <summary>All of them, by what they are.</summary>
    public static IReadOnlyList<(string Name, Func<GraphBuilder> Make)> All { get; } =
    [
        ("60 doublings of a concatenation", () => Doublings(60)),
        ("100,000 additions of one to a size", () => Additions("one")),
        ("100,000 additions of a size to itself", () => Additions("itself")),
        ("100,000 additions of another size", () => Additions("other")),
        ("a split into 1,000 parts", Parts),
        ("a slice of a slice, 20,000 deep", Slices),
        ("59 halves that are added", Halves),
        ("a rank of 100,000", LongRank),
        ("a sum of all before, 20,000 times", Sums),
    ];

    /// <summary>An axis that is joined with itself, again and again.</summary>
    public static GraphBuilder Doublings(int doublings)
    {
        var g = new GraphBuilder(1);
        var x = g.MatMul(g.Input("x", 1, 4), g.Weight("w", 4, 4));
        for (int k = 0; k < doublings; k++) x = g.Concat(1, x, x);
        return g.Output(x);
    }

    /// <summary>A size to which one, itself or another is added.</summary>
    public static GraphBuilder Additions(string added)
    {
        var g = new GraphBuilder(1);
        var size = g.Node("Shape", g.Input("x", "n"));
        var term = added == "one" ? g.Longs("one", 1) : added == "other" ? g.Node("Shape", g.Input("z", "m")) : size;
        for (int k = 0; k < 100_000; k++) size = g.Add(size, term);
        return g.Output(g.Node("ConstantOfShape", size));
    }

    /// <summary>An axis that is cut into 1,000 parts and joined again.</summary>
    public static GraphBuilder Parts()
    {
        var g = new GraphBuilder(1);
        var x = g.MatMul(g.Input("x", 1, 4), g.Weight("w", 4, 2000));
        var parts = g.Split(x, 1, [.. Enumerable.Repeat(2L, 1000)]);
        return g.Output(g.MatMul(g.Concat(1, parts), g.Weight("v", 2000, 3)));
    }

    /// <summary>Slices of slices: definitions inside of definitions.</summary>
    public static GraphBuilder Slices()
    {
        var g = new GraphBuilder(1);
        var x = g.MatMul(g.Input("x", 1, 4), g.Weight("w", 4, 30_000));
        for (int k = 0; k < 20_000; k++) x = g.Slice(x, 1, 1, int.MaxValue);
        return g.Output(x);
    }

    /// <summary>An axis that is halved and whose halves are added, again and again: a definition that uses another twice.</summary>
    public static GraphBuilder Halves()
    {
        var g = new GraphBuilder(1);
        var x = g.Input("x", 1, 1L << 60);
        for (int k = 0; k < 59; k++)
        {
            var halves = g.Split(x, 1, 1L << (59 - k), 1L << (59 - k));
            x = g.Add(halves[0], halves[1]);
        }
        return g.Output(x);
    }

    /// <summary>A shape of 100,000 ones.</summary>
    public static GraphBuilder LongRank()
    {
        var g = new GraphBuilder(1);
        var shape = g.Longs("shape", [.. Enumerable.Repeat(1L, 100_000)]);
        return g.Output(g.Node("Expand", [g.Node("Reshape", [g.Input("x", 4), shape]), shape]));
    }

    /// <summary>A sum of the input and everything before it, again and again.</summary>
    public static GraphBuilder Sums()
    {
        var g = new GraphBuilder(1);
        var x = g.Input("x", 1, 4);
        var y = g.MatMul(x, g.Weight("w", 4, 4));
        for (int k = 0; k < 20_000; k++) y = g.Relu(g.Add(x, y));
        return g.Output(y);
    }
}
