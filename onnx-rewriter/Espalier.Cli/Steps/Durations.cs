namespace Espalier.Cli.Steps;

/// <summary>Times as people read them, the same in every culture.</summary>
internal static class Durations
{
    /// <summary>4.2 s, 41 s, 3 min 5 s.</summary>
    public static string Text(TimeSpan time)
    {
        if (time.TotalSeconds < 9.95) return FormattableString.Invariant($"{time.TotalSeconds:0.0} s");
        var (minutes, seconds) = Math.DivRem((long)Math.Round(time.TotalSeconds), 60);
        return minutes < 2
            ? FormattableString.Invariant($"{(60 * minutes) + seconds} s")
            : FormattableString.Invariant($"{minutes} min {seconds} s");
    }
}
