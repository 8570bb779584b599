using System.Globalization;

namespace Espalier.Evaluation;

/// <summary>What is to be measured.</summary>
internal sealed record Options
{
    public required IReadOnlyList<string> Networks { get; init; }
    public IReadOnlyList<Preset> Presets { get; init; } = Enum.GetValues<Preset>();
    public IReadOnlyList<double> Ratios { get; init; } = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4];
    public int Draws { get; init; } = 3;

    /// <summary>Most test items.</summary>
    public int Most { get; init; } = 2000;

    /// <summary>Measures what leads at each budget on all test items.</summary>
    public bool Closer { get; init; }

    /// <summary>The held-out sets: decisions are taken on the validation, the test is measured once.</summary>
    public IReadOnlyList<Split> Splits { get; init; } = [Split.Validation];

    /// <summary>Measures rows of another version of the product anew.</summary>
    public bool Fresh { get; init; }

    /// <summary>Writes the pages from what is measured.</summary>
    public bool PagesOnly { get; init; }

    /// <summary>Folder of small networks that were trained from scratch, which are measured; null for none.</summary>
    public string? Small { get; init; }

    /// <summary>Measures in this process and prints the rows.</summary>
    public bool Child { get; init; }

    public static Options Parse(string[] args)
    {
        var networks = new List<string>();
        var options = new Options { Networks = networks };
        for (int i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--presets":
                    options = options with { Presets = [.. args[++i].Split(',').Select(p => Enum.Parse<Preset>(p, ignoreCase: true))] };
                    break;
                case "--ratios":
                    options = options with
                    { Ratios = [.. args[++i].Split(',').Select(r => double.Parse(r, CultureInfo.InvariantCulture))] }; break;
                case "--draws": options = options with { Draws = int.Parse(args[++i], CultureInfo.InvariantCulture) }; break;
                case "--most": options = options with { Most = int.Parse(args[++i], CultureInfo.InvariantCulture) }; break;
                case "--split":
                    options = options with { Splits = [.. args[++i].Split(',').Select(s => Enum.Parse<Split>(s, ignoreCase: true))] };
                    break;
                case "--fresh": options = options with { Fresh = true }; break;
                case "--pages": options = options with { PagesOnly = true }; break;
                case "--closer": options = options with { Closer = true }; break;
                case "--small": options = options with { Small = args[++i], PagesOnly = true }; break;
                case "--child": options = options with { Child = true }; break;
                default: networks.Add(args[i]); break;
            }
        }
        return options;
    }
}
