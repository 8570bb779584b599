using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Espalier.TestKit.Oracle;

/// <summary>
/// How often the oracle of this process had to look at a model's own rounding, in which tests, and how often masking did not
/// move the outputs. At the end it stands in <c>oracle.txt</c> beside the tests, since a test host's own output is not shown;
/// <c>.ci/run</c> prints it.
/// </summary>
internal static class OracleTally
{
    private static readonly ConcurrentBag<string> Doors = [], Unseen = [];
    private static int _checks;

    static OracleTally() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        File.WriteAllLines(Path.Combine(AppContext.BaseDirectory, "oracle.txt"),
            [Text, .. Doors.Order(StringComparer.Ordinal), .. Unseen.Order(StringComparer.Ordinal)]);

    /// <summary>The figures in a line.</summary>
    public static string Text => string.Create(CultureInfo.InvariantCulture,
        $"oracle: {_checks} checks, {Doors.Count} through the door of rounding noise, {Unseen.Count} in which masking did not move "
            + $"the outputs");

    /// <summary>Counts a check.</summary>
    /// <param name="seen">Whether masking moved the outputs.</param>
    internal static void Count(bool seen)
    {
        Interlocked.Increment(ref _checks);
        if (!seen) Unseen.Add($"{Test()}: masking did not move the outputs");
    }

    /// <summary>Counts a difference of more than the tolerance, for which the model's own rounding was measured.</summary>
    /// <param name="error">The difference.</param>
    /// <param name="where">The output.</param>
    /// <param name="explained">Whether the model is as far from itself.</param>
    internal static void Door(double error, string where, bool explained)
    {
        string how = explained ? "" : ", which rounding does not explain";
        Doors.Add(string.Create(CultureInfo.InvariantCulture, $"{Test()}: {error:g2} at {where}{how}"));
    }

    /// <summary>The outermost method of a test project is the test.</summary>
    private static string Test()
    {
        var methods = new StackTrace().GetFrames().Select(f => f.GetMethod()).OfType<System.Reflection.MethodBase>();
        var test = methods.LastOrDefault(m =>
            m.DeclaringType?.Assembly.GetName().Name?.EndsWith(".Tests", StringComparison.Ordinal) == true);
        return test is null ? "" : $"{test.DeclaringType!.Name}.{test.Name}";
    }
}
