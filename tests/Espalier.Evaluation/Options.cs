using System.Globalization;

namespace Espalier.Evaluation;

/// <summary>What is to be measured.</summary>
internal sealed record Options(IReadOnlyList<string> Networks, IReadOnlyList<Preset> Presets, IReadOnlyList<double> Ratios, int Draws,
    int Most, bool Closer, bool Child)
{
    public static Options Parse(string[] args)
    {
        var networks = new List<string>();
        var options = new Options(networks, Enum.GetValues<Preset>(), [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 3, 2000, false, false);
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
                case "--closer": options = options with { Closer = true }; break;
                case "--child": options = options with { Child = true }; break;
                default: networks.Add(args[i]); break;
            }
        }
        return options;
    }
}
