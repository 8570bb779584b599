using System.Text.RegularExpressions;
using Espalier.Axes.Tests.Zoo;
using Espalier.Gradients.Writing;
using Espalier.Onnx;
using Espalier.TestKit.Oracle;

namespace Espalier.Axes.Tests.Gradients;

/// <summary>Gradients of networks: random ones, and those of the zoo. Of each a sample of its tensors.</summary>
public sealed partial class GradientNetworkTests(ITestOutputHelper output)
{
    private const int Networks = 20;

    /// <summary>Operators where the way back ends, by model; of the others no tensor is without a gradient.</summary>
    private static readonly Dictionary<string, string> Stops = new(StringComparer.Ordinal)
    {
        // Cast of numbers that sizes are computed with.
        ["Swin, batch by a division of floats"] = "Cast",
        ["T5"] = "Cast",
        // Conv over a dynamic axis.
        ["Conformer"] = "Conv",
        ["FPN with shared heads"] = "Conv",
        ["Mamba 2"] = "Conv",
        ["SegFormer"] = "Conv",
        ["WaveNet"] = "Conv",
        ["Whisper encoder"] = "Conv",
        ["DeepLab v3"] = "Conv",
        ["LRASPP"] = "Conv",
        ["Bidirectional GRU tagger"] = "GRU",
        ["Merged decoder"] = "If",
        ["Bidirectional LSTM tagger"] = "LSTM",
        ["Mamba, Loop"] = "Loop",
        ["BiFPN"] = "Resize",
        ["Diffusion U-Net"] = "Resize",
        ["HRNet"] = "Resize",
        ["YOLO"] = "Resize",
        ["Mamba, Scan"] = "Scan",
        // Slice at computed bounds.
        ["Whisper decoder"] = "Slice",
        ["Whisper decoder with caches"] = "Slice",
    };

    /// <summary>Names of the zoo's models.</summary>
    public static TheoryData<string> Architectures() => [.. ZooTests.Models.Select(m => m.Name)];

    [Fact]
    public void Random_images() => Random(RandomGraphs.ImageSteps, image: true);

    [Fact]
    public void Random_sequences() => Random(RandomGraphs.SequenceSteps, image: false);

    private void Random(int steps, bool image)
    {
        int compared = 0, whole = 0;
        for (int seed = 0; seed < Networks; seed++)
        {
            var random = new Random(seed);
            int[] recipe = [.. Enumerable.Range(0, random.Next(2, 7)).Select(_ => random.Next(steps * RandomGraphs.Variants))];
            using var model = (image ? RandomGraphs.Image(recipe, seed) : RandomGraphs.Sequence(recipe, seed)).Build();
            var inputs = SeededInputs.For(model, 5, new Dictionary<string, long> { ["sequence"] = RandomGraphs.Length });
            string what = RandomGraphs.Describe(recipe, image);
            try
            {
                var (count, faults, backward) = GradientCheck.Run(model, inputs, most: 8);
                Assert.True(faults.Count == 0, string.Join("\n", faults));
                compared += count ?? 0;
                if (backward.Stopped.Count == 0) whole++;
                foreach (string reason in backward.Stopped.Values.Distinct()) output.WriteLine($"{what}: {reason}");
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{what}: {e.Message}", e);
            }
        }
        output.WriteLine($"{compared} tensors compared, {whole} of {Networks} networks without a stop");
        Assert.InRange(compared, 5 * Networks, int.MaxValue);
        Assert.InRange(whole, Networks / 2, Networks);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Architecture(string name)
    {
        var entry = ZooTests.Models.Single(m => m.Name == name);
        using var model = entry.Build().Build();
        var backward = Check(entry, model);
        Assert.Equal(Stops.GetValueOrDefault(name, ""), string.Join(' ', backward.Stopped.Values.Select(Operator).Distinct().Order()));
    }

    /// <summary>With the fused operators that ONNX Runtime's optimiser makes of it.</summary>
    [Theory]
    [MemberData(nameof(Architectures))]
    public void An_optimised_architecture(string name)
    {
        var entry = ZooTests.Models.Single(m => m.Name == name);
        using var written = entry.Build().Build();
        using var model = OptimisedTests.Of(written.ToBytes());
        string[] fused = [.. model.Proto.Graph.Node.Where(n => n.Domain == "com.microsoft").Select(n => n.OpType).Distinct().Order()];
        output.WriteLine("fused: " + string.Join(' ', fused));
        // What is not fused has been seen.
        if (fused.Length == 0) return;
        var backward = Check(entry, model);
        Assert.DoesNotContain(backward.Stopped.Values.Select(Operator), fused.Contains);
    }

    private Backward Check(ZooModel entry, OnnxModel model)
    {
        HashSet<string>? wrong = null;
        Backward? backward = null;
        // In a deep network some kink may lie at every step around one input: what is wrong is so for each.
        for (int seed = 5; seed < 8 && wrong is not { Count: 0 }; seed++)
        {
            var inputs = SeededInputs.For(model, seed, entry.Sizes.ToDictionary(s => s.Name, s => s.Size));
            (var compared, var faults, backward) = GradientCheck.Run(model, inputs, most: 12);
            var names = faults.Select(f => f[..f.IndexOf(':', StringComparison.Ordinal)]).ToHashSet();
            if (wrong is null) wrong = names;
            else wrong.IntersectWith(names);
            foreach (string line in faults.Concat(backward.Stopped.Values.Distinct())) output.WriteLine(line);
            Assert.NotEqual(0, compared + backward.Stopped.Count);
        }
        // A result jumps where a number is moved that others are compared with and some are equal to.
        wrong!.ExceptWith(model.Proto.Graph.Node.Where(n => n.OpType is "Less" or "Greater").SelectMany(n => n.Input));
        Assert.Equal([], wrong);
        return backward!;
    }

    private static string Operator(string reason) => Stopping().Match(reason).Groups[1].Value;

    [GeneratedRegex("^tensor '[^']*': (\\w+) ")]
    private static partial Regex Stopping();
}
