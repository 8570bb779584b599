namespace Espalier.EndToEnd.Tests.Cli;

public sealed partial class CommandLineTests
{
    [Theory]
    [InlineData("no_inputs", "'u' (Upsample)")]
    [InlineData("attribute_of_wrong_kind", "'Z' (Slice)")]
    [InlineData("inputs_to_constant", "'K' (Constant)")]
    [InlineData("cycle", "'p' (Add)")]
    [InlineData("two_writers", "'Y' is defined twice")]
    [InlineData("conv_weight_rank", "'c' (Conv)")]
    public void A_malformed_graph_ends_in_exit_3_with_its_place_and_nothing_is_written(string file, string where)
    {
        string model = Path.Combine(Assets.Root, "tests/assets/cases/malformed", file + ".onnx");
        foreach (string[] command in new string[][] { ["slim", model, "-o", Out, "--keep", "0.5", "--report", At("report.json")],
            ["inspect", model] })
        {
            var result = Run(command);
            Assert.True(result.Code == 3, $"{result.Code}: {result.Error}");
            Assert.Contains(file + ".onnx: ", result.Error, StringComparison.Ordinal);
            Assert.Contains(where, result.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        }
        Assert.Empty(Directory.GetFiles(_folder));
    }
}
