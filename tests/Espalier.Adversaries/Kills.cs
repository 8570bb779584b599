using System.Globalization;

namespace Espalier.Adversaries;

/// <summary>What was found after kills.</summary>
internal sealed class Kills
{
    /// <summary>Runs that were killed.</summary>
    public int Killed { get; set; }

    /// <summary>Runs that had ended before their moment.</summary>
    public int TooLate { get; set; }

    /// <summary>After that many the model was the one of before.</summary>
    public int Old { get; set; }

    /// <summary>After that many it was the new one.</summary>
    public int New { get; set; }

    /// <summary>After that many there was none, as before.</summary>
    public int Absent { get; set; }

    /// <summary>After that many report or diff were of another run than the model.</summary>
    public int Mixed { get; set; }

    /// <summary>That many left files of which nobody knows.</summary>
    public int Littered { get; set; }

    /// <summary>Such files in all.</summary>
    public int Leftovers { get; set; }

    /// <summary>What must not be.</summary>
    public List<string> Wrong { get; } = [];

    /// <summary>The usual duration, in seconds: the median of the last runs that nobody killed.</summary>
    public double Usual => Median(_took);

    /// <summary>The usual duration of the part that writes, in seconds.</summary>
    public double Writing => Median(_wrote);

    private readonly List<double> _took = [], _wrote = [];

    /// <summary>Takes a run for usual: a machine is not as fast at all times.</summary>
    public void Add(double took, double wrote = 0)
    {
        _took.Add(took);
        _wrote.Add(wrote);
    }

    private static double Median(List<double> values)
    {
        const int Last = 15;
        double[] sorted = [.. values.TakeLast(Last).Order()];
        return sorted[sorted.Length / 2];
    }

    /// <summary>Head of the table.</summary>
    public const string Head = "| case | killed | too late | old | new | absent | report of another run | kills with leftovers | leftovers "
        + "| wrong | usual |\n|---|---|---|---|---|---|---|---|---|---|---|";

    /// <summary>A row of the table.</summary>
    public string Row(string name) => string.Create(CultureInfo.InvariantCulture,
        $"| {name} | {Killed} | {TooLate} | {Old} | {New} | {Absent} | {Mixed} | {Littered} | {Leftovers} "
        + $"| {Wrong.Count} | {Usual:0.00} s |");
}
