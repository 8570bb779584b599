using System.Globalization;

namespace Espalier.Evaluation;

/// <summary>One method at one budget on one draw of calibration data.</summary>
/// <param name="Ratio">Bound on the multiply-accumulates.</param>
/// <param name="Draw">Number of the draw, and seed.</param>
internal sealed record Row(string Network, Preset Preset, double Ratio, int Draw)
{
    public const string Header = "network\tpreset\tratio\tdraw\tscore\terror\tmacs\tseconds\tmegabytes\tmost\tsplit\tversion\tnotes"
        + "\trefusal";

    /// <summary>The measure of the slim network; NaN where the method cannot meet the budget.</summary>
    public required double Score { get; init; }

    /// <summary>Standard error over the held-out items of the difference from the dense network.</summary>
    public required double Error { get; init; }

    /// <summary>Multiply-accumulates that it came to, as a fraction.</summary>
    public required double Macs { get; init; }

    /// <summary>Processor time of calibrating and slimming.</summary>
    public double Seconds { get; init; }

    /// <summary>Peak memory of the process, evaluation included.</summary>
    public double Megabytes { get; init; }

    /// <summary>Most held-out images or verses.</summary>
    public int Most { get; init; }

    public Split Split { get; init; } = Split.Test;

    /// <summary>The product that was measured: see <see cref="CodeVersion"/>; empty for rows from before it was recorded.</summary>
    public string Version { get; init; } = "";

    /// <summary>Notes of the report that say that something else was done.</summary>
    public string Notes { get; init; } = "";

    /// <summary>Why there is no slim model; empty where there is one, and for rows from before it was recorded.</summary>
    public string Refusal { get; init; } = "";

    /// <summary>Whether both are of the same thing.</summary>
    public bool IsSame(Row other) => (Network, Preset, Draw, Split) == (other.Network, other.Preset, other.Draw, other.Split)
        && Math.Abs(Ratio - other.Ratio) < 1e-9;

    public string ToText() => string.Create(CultureInfo.InvariantCulture,
        $"{Network}\t{Preset}\t{Ratio:0.00}\t{Draw}\t{Score:0.0000}\t{Error:0.0000}\t{Macs:0.0000}\t{Seconds:0.0}\t{Megabytes:0}\t{Most}")
        + $"\t{Split}\t{Version}\t{Notes}\t{Refusal}";

    public static Row Parse(string line)
    {
        string[] cells = line.Split('\t');
        double Number(int k) => double.Parse(cells[k], CultureInfo.InvariantCulture);
        // Rows from before there was a validation have fewer cells.
        string Text(int k) => cells.Length > k ? cells[k] : "";
        return new(cells[0], Enum.Parse<Preset>(cells[1]), Number(2), (int)Number(3))
        {
            Score = Number(4),
            Error = Number(5),
            Macs = Number(6),
            Seconds = Number(7),
            Megabytes = Number(8),
            Most = (int)Number(9),
            Split = Text(10) is { Length: > 0 } split ? Enum.Parse<Split>(split) : Split.Test,
            Version = Text(11),
            Notes = Text(12),
            Refusal = Text(13),
        };
    }
}
