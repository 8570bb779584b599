using Espalier.Gradients;
using Espalier.TestKit;

namespace Espalier.Axes.Tests.Gradients;

/// <summary>Every rule of the gradients against central differences.</summary>
public sealed class GradientTests
{
    /// <summary>Cases of all operators.</summary>
    public static TheoryData<string> Operators() => [.. OperatorCases.All.Where(c => !c.HasNoKernel).Select(c => c.Name)];

    /// <summary>Forms of operators that no case has.</summary>
    public static TheoryData<string> Forms() => [.. GradientForms.All.Select(f => f.Name)];

    /// <summary>Networks of the repository.</summary>
    public static TheoryData<string> Networks() => [.. Assets.Networks()];

    [Theory]
    [MemberData(nameof(Operators))]
    public void An_operator(string name)
    {
        using var model = OperatorCases.All.First(c => c.Name == name).Build();
        var (compared, faults, backward) = GradientCheck.Run(model);
        foreach (var (tensor, reason) in backward.Stopped.Take(1))
            TestContext.Current.TestOutputHelper!.WriteLine($"stopped {tensor}: {reason}");
        Assert.True(faults.Count == 0, string.Join("\n", faults));
        Assert.NotEqual(0, compared + backward.Stopped.Count);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_form(string name)
    {
        var (_, opset, build) = GradientForms.All.First(f => f.Name == name);
        var graph = new GraphBuilder(seed: 7, opset);
        build(graph);
        using var model = graph.Build();
        var (compared, faults, backward) = GradientCheck.Run(model);
        Assert.True(faults.Count == 0, string.Join("\n", faults));
        if (GradientForms.ReasonOf(name) is { } reason) Assert.All(backward.Stopped.Values, r => Assert.Contains(reason, r));
        else Assert.Empty(backward.Stopped.Values);
        Assert.NotEqual(0, GradientForms.ReasonOf(name) is null ? compared : backward.Stopped.Count);
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void A_trained_network(string file)
    {
        using var model = Onnx.OnnxModel.Open(Assets.Path(file));
        var (compared, faults, backward) = GradientCheck.Run(model);
        Assert.True(backward.Stopped.Count == 0, string.Join("\n", backward.Stopped.Values.Distinct()));
        Assert.True(faults.Count == 0, string.Join("\n", faults));
        Assert.InRange(compared ?? 0, 6, int.MaxValue);
    }
}
