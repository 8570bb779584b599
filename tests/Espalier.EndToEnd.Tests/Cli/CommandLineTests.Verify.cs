using System.Text.Json.Nodes;
using Espalier.Cli.Host;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>What <c>verify</c> must refuse: slim models that are wrong in one place, and checks that could not have failed.</summary>
public sealed partial class CommandLineTests
{
    private const int Width = 12;

    /// <summary>Three residual sublayers on one stream.</summary>
    private string Residual()
    {
        var g = new GraphBuilder(seed: 11);
        var x = g.Linear(g.Input("x", "n", Width), "in", Width, Width);
        for (int k = 0; k < 3; k++) x = g.Add(x, g.Linear(g.Relu(g.Linear(x, $"up{k}", Width, 20)), $"down{k}", 20, Width));
        g.Output(g.Rename(g.Linear(x, "head", Width, 5), "y"), "n", 5);
        g.Build().Save(At("residual.onnx"));
        return At("residual.onnx");
    }

    /// <summary>Changes the slim model that lies in <see cref="Out"/>.</summary>
    private void Spoil(Action<OnnxModel, GraphProto> change)
    {
        using var slim = OnnxModel.Parse(File.ReadAllBytes(Out));
        var copy = slim.Proto.Clone();
        change(slim, copy.Graph);
        using var spoilt = slim.Derive(copy);
        spoilt.Save(Out);
    }

    private void SpoilWeight(string name, Action<float[]> change) => Spoil((slim, graph) =>
    {
        int k = graph.Initializer.ToList().FindIndex(t => t.Name == name);
        float[] values = slim.Content(graph.Initializer[k]).ToFloats();
        change(values);
        var type = (TensorProto.Types.DataType)graph.Initializer[k].DataType;
        graph.Initializer[k] = slim.NewTensor(name, type, graph.Initializer[k].Dims, TensorContent.FromFloats(type, values));
    });

    private (int Code, string Text) Verify(string dense, params string[] more)
    {
        var result = Run(["verify", dense, Out, "--report", At("slim.json"), .. more]);
        return (result.Code, result.Text + result.Error);
    }

    private void Slim(string dense, params string[] options)
    {
        var result = Run(["slim", dense, "-o", Out, .. options, "--report", At("slim.json")]);
        Assert.True(result.Code == 0, result.Error);
    }

    [Fact]
    public void A_sublayer_skipped_from_the_wrong_tensor_is_named_where_it_starts()
    {
        string dense = Residual();
        Slim(dense, "--drop-sublayers", "1", "--depth-score", "random", "--seed", "2");
        var bypass = JsonNode.Parse(File.ReadAllText(At("slim.json")))!["bypassed"]![0]!;
        string branch = bypass["branch"]!.GetValue<string>(), to = bypass["sum"]!.GetValue<string>(), from;
        using (var whole = OnnxModel.Open(dense))
            from = whole.Proto.Graph.Node.Single(n => n.Output.Contains(to)).Input.Single(i => i != branch);
        var right = Verify(dense);
        Assert.True(right.Code == 0, right.Text);
        Assert.Contains("that both models have were compared and agree", right.Text, StringComparison.Ordinal);

        // What read the stream behind the sublayer reads another tensor of the same shape than the stream before it.
        HashSet<string> readers;
        using (var whole = OnnxModel.Open(dense))
            readers = [.. whole.Proto.Graph.Node.Where(n => n.Input.Contains(to)).SelectMany(n => n.Output)];
        string first = "";
        Spoil((_, graph) =>
        {
            string other = graph.Node.Where(n => n.OpType == "Add").Select(n => n.Output[0]).First(o => o != from);
            foreach (var node in graph.Node.Where(n => n.Output.Any(readers.Contains)))
            {
                if (first.Length == 0) first = node.Output[0];
                for (int k = 0; k < node.Input.Count; k++) if (node.Input[k] == from) node.Input[k] = other;
            }
        });
        var wrong = Verify(dense);
        Assert.True(wrong.Code == 1, wrong.Text);
        Assert.Contains("FAILED: the slim model is not equal to the masked dense model", wrong.Text, StringComparison.Ordinal);
        Assert.Contains($"the fault starts at tensor '{first}', made by node", wrong.Text, StringComparison.Ordinal);
    }

    /// <summary>Surgery and report may agree on what is wrong: that a block is a residual is looked up in the dense file.</summary>
    [Fact]
    public void A_report_that_skips_what_is_no_residual_is_refused()
    {
        string dense = Residual();
        Slim(dense, "--drop-sublayers", "1", "--depth-score", "random", "--seed", "2");
        var report = JsonNode.Parse(File.ReadAllText(At("slim.json")))!;
        report["bypassed"]![0]!["branch"] = "x";
        File.WriteAllText(At("slim.json"), report.ToJsonString());
        var refused = Verify(dense);
        Assert.Equal(1, refused.Code);
        Assert.Contains("which does not add it", refused.Text, StringComparison.Ordinal);
        report["bypassed"] = new JsonArray();
        File.WriteAllText(At("slim.json"), report.ToJsonString());
        Assert.Contains("Slim the model again", Verify(dense).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_factor_with_other_numbers_and_one_in_another_place_are_refused()
    {
        var g = new GraphBuilder(seed: 3);
        var x = g.Input("x", "n", 32);
        var both = g.Add(g.MatMul(x, g.Weight("a", 32, 32)), g.MatMul(g.Relu(x), g.Weight("b", 32, 32)));
        g.Output(g.Rename(g.Linear(both, "head", 32, 5), "y"), "n", 5);
        string dense = At("factors.onnx");
        g.Build().Save(dense);
        Slim(dense, "--low-rank", "a=6", "--low-rank", "b=6");
        var factored = JsonNode.Parse(File.ReadAllText(At("slim.json")))!["factored"]!.AsArray();
        Assert.Equal(2, factored.Count);
        string[] down = [.. factored.Select(f => f!["down"]!.GetValue<string>())];
        var right = Verify(dense);
        Assert.True(right.Code == 0, right.Text);
        byte[] good = File.ReadAllBytes(Out);

        SpoilWeight(down[0], values => values[7] += 0.5f);
        var other = Verify(dense);
        Assert.True(other.Code == 1, other.Text);
        Assert.Contains($"weight '{factored[0]!["weight"]}': the product of '{down[0]}'", other.Text, StringComparison.Ordinal);

        File.WriteAllBytes(Out, good);
        Spoil((_, graph) =>
        {
            var readers = graph.Node.Where(n => n.Input.Any(down.Contains)).ToList();
            Assert.Equal(2, readers.Count);
            foreach (var node in readers) node.Input[1] = down[1 - Array.IndexOf(down, node.Input[1])];
        });
        var swapped = Verify(dense);
        Assert.True(swapped.Code == 1, swapped.Text);
        Assert.Contains("the fault starts at tensor", swapped.Text, StringComparison.Ordinal);
    }

    /// <summary>A layer behind which the outputs are one number.</summary>
    /// <param name="hidden">What is added to the hidden units before their ReLU.</param>
    /// <param name="output">What is added to the outputs before theirs.</param>
    private string Saturated(float hidden, float output)
    {
        var g = new GraphBuilder(seed: 6);
        string Layer(string x, string name, int inputs, int outputs, float shift)
        {
            string bias = g.Floats(name + ".shift", [.. Enumerable.Repeat(shift, outputs)], outputs);
            return g.Relu(g.Add(g.Linear(x, name, inputs, outputs, bias: false), bias));
        }
        g.Output(g.Rename(Layer(Layer(g.Input("x", "n", 8), "up", 8, 32, hidden), "down", 32, 5, output), "y"), "n", 5);
        g.Build().Save(At("saturated.onnx"));
        return At("saturated.onnx");
    }

    [Fact]
    public void Outputs_that_are_one_number_whatever_is_masked_prove_nothing()
    {
        string dense = Saturated(hidden: -1000, output: 3);
        Slim(dense, "--neurons", "0.5");
        var nothing = Verify(dense);
        Assert.True(nothing.Code == 1, nothing.Text);
        Assert.Contains("PROVED NOTHING: slices of 3 tensors were masked", nothing.Text, StringComparison.Ordinal);
        Assert.Contains("--seed", nothing.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("verified", nothing.Text, StringComparison.Ordinal);
    }

    /// <summary>The build asks the same judge.</summary>
    [Theory]
    [InlineData(-1000, 3, "Guard(Equivalence = true) proves nothing: slices of 3 tensors were masked")]
    [InlineData(0, -1000, null)]
    public void A_guard_that_proves_nothing_is_a_refusal(float hidden, float output, string? refusal)
    {
        using var dense = OnnxModel.Open(Saturated(hidden, output));
        var plan = new PruningPlan
        {
            Preset = Preset.Magnitude,
            Prune = [new() { Axis = Axis.Neurons, Keep = 0.5 }],
            Guard = new Guard(Equivalence: true),
        };
        using var progress = new StepProgress(new Terminal(TextWriter.Null, TextWriter.Null, interactive: false), "slim");
        var job = new SlimJob(dense, Axes.AxisAnalysis.Run(dense), plan, new Dictionary<string, long>(), progress,
            CancellationToken.None)
        { FileName = "slim.onnx" };
        if (refusal is null)
            Assert.Contains(job.Run().Report.Notes, n => n.StartsWith("Before compensation equal", StringComparison.Ordinal));
        else Assert.Contains(refusal, Assert.Throws<EspalierException>(job.Run).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Data_on_which_the_units_are_awake_prove_what_random_inputs_do_not()
    {
        string dense = Saturated(hidden: -1000, output: 3);
        Slim(dense, "--neurons", "0.5");
        byte[] rows = Npy(new Random(2), 4, 8);
        var values = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(rows.AsSpan(rows.Length - (4 * 8 * 4)));
        for (int i = 0; i < values.Length; i++) values[i] *= 10_000;
        File.WriteAllBytes(At("far.npy"), rows);
        var proved = Verify(dense, "--calibrate", At("far.npy"));
        Assert.True(proved.Code == 0, proved.Text);
    }

    [Fact]
    public void Saturated_outputs_are_judged_by_what_is_inside()
    {
        string dense = Saturated(hidden: 0, output: -1000);
        Slim(dense, "--neurons", "0.5");
        var inside = Verify(dense);
        Assert.True(inside.Code == 0, inside.Text);
        Assert.Contains("did not move the outputs", inside.Text, StringComparison.Ordinal);

        // Units in another order than their columns: the outputs are zero all the same.
        SpoilWeight("down.weight", Array.Reverse);
        var wrong = Verify(dense);
        Assert.True(wrong.Code == 1, wrong.Text);
        Assert.Contains("the fault starts at tensor", wrong.Text, StringComparison.Ordinal);
        Assert.Contains("(MatMul)", wrong.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Units_that_are_zero_already_need_not_move_anything()
    {
        var g = new GraphBuilder(seed: 6);
        float[] Numbers(int n, Func<int, int> unit) => [.. Enumerable.Range(0, n).Select(i => unit(i) % 2 == 0 ? (float)g.Normal() : 0)];
        float[] up = Numbers(8 * 32, i => i % 32), down = Numbers(32 * 5, i => i / 5);
        var h = g.Relu(g.MatMul(g.Input("x", "n", 8), g.Floats("up", up, 8, 32)));
        g.Output(g.Rename(g.MatMul(h, g.Floats("down", down, 32, 5)), "y"), "n", 5);
        g.Build().Save(At("zeros.onnx"));
        Slim(At("zeros.onnx"), "--neurons", "0.5", "--score", "l1");
        var zeros = Verify(At("zeros.onnx"));
        Assert.True(zeros.Code == 0, zeros.Text);
        Assert.Contains("is zero in the dense model already", zeros.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plan_that_removed_nothing_is_verified()
    {
        Slim(Model, "--keep", "1");
        var same = Verify(Model);
        Assert.True(same.Code == 0, same.Text);
        Assert.Contains("verified", same.Text, StringComparison.Ordinal);
    }
}
