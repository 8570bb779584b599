namespace Espalier.Axes;

// Quantised operators of both domains: products of integers, and conversions from and to them.
internal static partial class OperatorTable
{
    private const string StandardQuantized = """
        # integers
        """;

    private const string MicrosoftQuantized = """
        # integers
        """;
}
