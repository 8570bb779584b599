namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>Calibration data in the layouts that users have, and budgets that nothing can meet.</summary>
public sealed partial class CommandLineTests
{
    /// <summary>
    /// Seven samples of a static export whose first axis is 2: stacked or in a row they are the same, and give the same model.
    /// </summary>
    [Fact]
    public void Samples_of_an_export_with_a_fixed_first_axis_come_stacked_or_in_a_row()
    {
        (int Code, string Text, string Error) Slim(string output, params int[] shape)
        {
            File.WriteAllBytes(At("x0.npy"), Npy(new Random(1), shape));
            return Run("slim", Assets.Path("cases/structures/flax_einsum_3d_weights.onnx"), "-o", output, "--macs", "0.6", "--score",
                "variance", "--compensate", "least-squares", "--allocate", "uniform", "--schedule", "one-shot",
                "--calibrate", At("x0.npy"));
        }
        string stacked = At("stacked.onnx"), row = At("row.onnx");
        foreach (var slim in new[] { Slim(stacked, 7, 2, 5, 24), Slim(row, 14, 5, 24) }) Assert.True(slim.Code == 0, slim.Error);
        Assert.Equal(File.ReadAllBytes(stacked), File.ReadAllBytes(row));
        var refused = Slim(Out, 7, 5, 24);
        Assert.Equal(1, refused.Code);
        Assert.Contains("'x0' came as [7,5,24], which does not fit; it is taken as [n,2,5,24] or [n·2,5,24], n samples, or as [2,5,24], "
            + "the same for every sample.", Flat(refused.Error), StringComparison.Ordinal);
        Assert.False(File.Exists(Out));
    }

    [Fact]
    public void A_budget_on_a_model_of_which_nothing_can_be_pruned_is_refused_with_the_reason()
    {
        var g = new GraphBuilder(3);
        var hidden = g.Relu(g.MatMul(g.Input("x", 2, 12), g.Weight("w0", 12, 32)));
        var parts = g.Node("SplitToSequence", hidden, ("axis", 1), ("keepdims", 1));
        g.Output(g.Rename(g.Node("ConcatFromSequence", parts, ("axis", 1)), "y"), 2, 32);
        g.Build().Save(At("sequence.onnx"));
        var slim = Run("slim", At("sequence.onnx"), "-o", Out, "--macs", "0.6");
        Assert.Equal(1, slim.Code);
        Assert.Contains("There is nothing that these rules may prune.", Flat(slim.Error), StringComparison.Ordinal);
        Assert.Contains("a sequence has no axes", Flat(slim.Error), StringComparison.Ordinal);
        Assert.DoesNotContain("Keep", slim.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Out));
    }

    [Fact]
    public void What_lies_behind_a_sequence_can_go_all_the_same()
    {
        string dense = Assets.Path("cases/structures/sequence_ops_keep.onnx");
        var slim = Run("slim", dense, "-o", Out, "--macs", "0.6", "--round-to", "1", "--report", At("slim.json"));
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Equal(0, Run("verify", dense, Out, "--report", At("slim.json")).Code);
    }

    private static string Flat(string text)
        => string.Join(' ', text.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries));

    /// <summary>Normal numbers as NumPy writes them.</summary>
    private static byte[] Npy(Random random, params int[] shape)
    {
        var header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({string.Join(", ", shape)}), }}".PadRight(117) + "\n";
        var values = new float[shape.Aggregate(1, (a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)((random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 2);
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. System.Text.Encoding.ASCII.GetBytes(header),
            .. System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values)];
    }
}
