using System.Globalization;

namespace Espalier.Evaluation.Real;

/// <summary>
/// What is measured: a method on a network, with so many samples, of one draw, under a bound on the multiply-accumulates.
/// </summary>
/// <param name="Samples">0 for a method that looks at none.</param>
/// <param name="Draw">Number of the draw of calibration data, and seed.</param>
/// <param name="Ratio">The bound; 1 for the dense network.</param>
internal sealed record RealKey(string Network, Preset Preset, int Samples, int Draw, double Ratio)
{
    public bool IsDense => Ratio == 1;

    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Network}\t{Preset}\t{Samples}\t{Draw}\t{Ratio:0.00}");

    public static RealKey Parse(string[] cells)
    {
        double Number(int k) => double.Parse(cells[k], CultureInfo.InvariantCulture);
        return new(cells[0], Enum.Parse<Preset>(cells[1]), (int)Number(2), (int)Number(3), Number(4));
    }
}

/// <summary>What slimming came to and took.</summary>
internal sealed record Slimmed
{
    /// <summary>Multiply-accumulates and bytes of the file, as fractions of the dense model's; NaN for a refusal.</summary>
    public double Macs { get; init; } = double.NaN;

    public double Bytes { get; init; } = double.NaN;

    /// <summary>Processor time of analysis, calibration and slimming on one thread, the file written.</summary>
    public double Seconds { get; init; } = double.NaN;

    /// <summary>The same in passes of the dense model over the samples, of the same process; NaN without samples.</summary>
    public double Passes { get; init; } = double.NaN;

    /// <summary>Peak memory of the process that slims, its samples included.</summary>
    public double Megabytes { get; init; } = double.NaN;

    /// <summary>Notes of the report that say that something else was done.</summary>
    public string Notes { get; init; } = "";

    /// <summary>Why there is no slim model; empty where there is one.</summary>
    public string Refusal { get; init; } = "";

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Macs:0.0000}\t{Bytes:0.0000}\t{Seconds:0.0}\t{Passes:0.00}\t{Megabytes:0}\t{Notes}\t{Refusal}");

    public static Slimmed Parse(string[] cells)
    {
        double Number(int k) => double.Parse(cells[k], CultureInfo.InvariantCulture);
        return new()
        {
            Macs = Number(0),
            Bytes = Number(1),
            Seconds = Number(2),
            Passes = Number(3),
            Megabytes = Number(4),
            Notes = cells[5],
            Refusal = cells[6],
        };
    }
}

/// <summary>One row of the table.</summary>
/// <param name="Times">Processor time of the slim model over that of the dense one, as <see cref="TimeRatios"/> names them; may be
/// empty.</param>
/// <param name="Figures">How near the slim model is to the dense one on that split.</param>
/// <param name="Version">The product that was measured: see <see cref="CodeVersion"/>.</param>
internal sealed record RealRow(RealKey Key, Split Split, Slimmed Slimmed, IReadOnlyList<Figure> Times, IReadOnlyList<Figure> Figures,
    string Version)
{
    public const string Header = "network\tpreset\tsamples\tdraw\tratio\tmacs\tbytes\tseconds\tpasses\tmegabytes\tnotes\trefusal\tsplit"
        + "\ttimes\tfigures\tversion";

    private const int KeyCells = 5, SlimmedCells = 7;

    public string ToText() => $"{Key}\t{Slimmed}\t{Split}\t{Joined(Times)}\t{Joined(Figures)}\t{Version}";

    /// <summary>A figure by name; NaN without.</summary>
    public double Figure(string name) => Figures.FirstOrDefault(f => f.Name == name)?.Value ?? double.NaN;

    public double Time(string name) => Times.FirstOrDefault(f => f.Name == name)?.Value ?? double.NaN;

    public static RealRow Parse(string line)
    {
        string[] cells = line.Split('\t');
        string[] rest = cells[(KeyCells + SlimmedCells)..];
        return new(RealKey.Parse(cells), Enum.Parse<Split>(rest[0]), Slimmed.Parse(cells[KeyCells..]), Taken(rest[1]), Taken(rest[2]),
            rest[3]);
    }

    private static string Joined(IEnumerable<Figure> figures)
        => string.Join(';', figures.Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Name}={f.Value:0.0000}")));

    private static IReadOnlyList<Figure> Taken(string text) => [.. text.Split(';', StringSplitOptions.RemoveEmptyEntries)
        .Select(f => f.Split('=')).Select(f => new Figure(f[0], double.Parse(f[1], CultureInfo.InvariantCulture)))];
}
