using System.Globalization;

namespace Espalier.Cli.Host;

/// <summary>Numbers as people read them, the same in every culture.</summary>
internal static class Figures
{
    /// <summary>Three digits and a unit: 11.2 M.</summary>
    public static string Short(double value)
    {
        (double Scale, string Unit)[] units = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")];
        foreach (var (scale, unit) in units)
        {
            if (value >= scale) return (value / scale).ToString("G3", CultureInfo.InvariantCulture) + unit;
        }
        return value.ToString("G3", CultureInfo.InvariantCulture);
    }

    /// <summary>Bytes: 44.7 MB.</summary>
    public static string Bytes(double value) => value < 1000 ? FormattableString.Invariant($"{value:0} B") : Short(value) + "B";

    /// <summary>A fraction: 41.6 %.</summary>
    public static string Percent(double fraction)
        => double.IsFinite(fraction) ? (fraction * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %" : "–";

    /// <summary>The ratio of two numbers as a fraction.</summary>
    public static string Ratio(double part, double whole) => whole > 0 ? Percent(part / whole) : "–";
}
