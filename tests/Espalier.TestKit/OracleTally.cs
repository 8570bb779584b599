using System.Globalization;

namespace Espalier.TestKit;

/// <summary>
/// How often the oracle of this process had to look at a model's own rounding, and how often masking could not be seen at the outputs. At
/// the end it
/// stands in <c>oracle.txt</c> beside the tests and on the error stream.
/// </summary>
public static class OracleTally
{
    private static int _checks, _noise, _unseen;

    static OracleTally() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        Console.Error.WriteLine(Text);
        File.WriteAllText(Path.Combine(AppContext.BaseDirectory, "oracle.txt"), Text + Environment.NewLine);
    };

    /// <summary>The figures in a line.</summary>
    public static string Text => string.Create(CultureInfo.InvariantCulture,
        $"oracle: {_checks} checks, {_noise} through the door of rounding noise, {_unseen} in which masking did not move the outputs");

    /// <summary>Counts a check.</summary>
    /// <param name="rounded">Whether the difference was within the tolerance; else the door was tried.</param>
    /// <param name="seen">Whether masking moved the outputs.</param>
    internal static void Count(bool rounded, bool seen)
    {
        Interlocked.Increment(ref _checks);
        if (!rounded) Interlocked.Increment(ref _noise);
        if (!seen) Interlocked.Increment(ref _unseen);
    }
}
