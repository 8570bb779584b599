using System.Globalization;

namespace Espalier.Evaluation;

/// <summary>A network of the same form with fewer channels or neurons, trained from scratch as the large one was.</summary>
/// <param name="Macs">Its multiply-accumulates as a fraction of the large one's.</param>
/// <param name="Score">Its measure on the test data.</param>
internal sealed record SmallNetwork(string Network, double Macs, double Score)
{
    /// <summary>What the page says where there is none.</summary>
    public const string Missing = "No row shows a small network trained from scratch, which a slim one should beat "
        + "(arXiv:1810.05270): `tests/assets/train.py` needs PyTorch, which the machine of this table has not. Rows `network, MACs, "
        + "score` of such networks in `small.tsv` would be shown.";

    /// <summary>The rows of a file; none where there is no such file.</summary>
    public static IReadOnlyList<SmallNetwork> Read(string path) => File.Exists(path)
        ? [.. File.ReadLines(path).Skip(1).Select(l => l.Split('\t')).Select(c => new SmallNetwork(c[0], Number(c[1]), Number(c[2])))]
        : [];

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>A line of the table: the score stands at the smallest bound that it meets.</summary>
    public string Line(double[] ratios)
    {
        double bound = ratios.Where(r => Macs <= r).DefaultIfEmpty(ratios[0]).Min();
        var cells = ratios.Select(r => r == bound ? Score.ToString("0.0000", CultureInfo.InvariantCulture) : "");
        return string.Create(CultureInfo.InvariantCulture,
            $"| small, from scratch | {string.Join(" | ", cells)} | {100 * Macs:0} | | | |\n");
    }
}
