using System.Globalization;

namespace Espalier.Evaluation;

/// <summary>One method at one budget on one draw of calibration data.</summary>
/// <param name="Ratio">Bound on the multiply-accumulates.</param>
/// <param name="Draw">Number of the draw, and seed.</param>
internal sealed record Row(string Network, Preset Preset, double Ratio, int Draw)
{
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

    public string ToText()
        => string.Create(CultureInfo.InvariantCulture,
            $"{Network}\t{Preset}\t{Ratio:0.00}\t{Draw}\t{Score:0.0000}\t{Error:0.0000}\t{Macs:0.0000}\t{Seconds:0.0}\t{Megabytes:0}");

    public static Row Parse(string line)
    {
        string[] cells = line.Split('\t');
        double Number(int k) => double.Parse(cells[k], CultureInfo.InvariantCulture);
        return new(cells[0], Enum.Parse<Preset>(cells[1]), Number(2), (int)Number(3))
        { Score = Number(4), Error = Number(5), Macs = Number(6), Seconds = Number(7), Megabytes = Number(8) };
    }
}
