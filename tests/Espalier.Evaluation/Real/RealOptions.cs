using System.Globalization;

namespace Espalier.Evaluation.Real;

/// <summary>What the verb <c>real</c> is to do.</summary>
internal sealed record RealOptions
{
    public IReadOnlyList<string> Networks { get; init; } = [];

    /// <summary>Fetches data that are not there, and nothing else.</summary>
    public bool Data { get; init; }

    /// <summary>Folder into which models and calibration data are written.</summary>
    public string? Export { get; init; }

    /// <summary>Models that are compared with the dense one; <c>dense</c> for that itself.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    public IReadOnlyList<Split> Splits { get; init; } = [Split.Validation];

    /// <summary>Folder of what is made; null for the default.</summary>
    public string? Cache { get; init; }

    /// <summary>Samples of calibration data; null for what the network says.</summary>
    public IReadOnlyList<int>? Samples { get; init; }

    public IReadOnlyList<int> Draws { get; init; } = [0];

    public static RealOptions Parse(string[] args)
    {
        var options = new RealOptions();
        for (int i = 0; i < args.Length; i++)
        {
            string option = args[i];
            if (option == "data")
            {
                options = options with { Data = true };
                continue;
            }
            string value = i + 1 < args.Length
                ? args[++i]
                : throw new EspalierException($"'{option}' is no verb, and an option has a value.");
            string[] values = value.Split(',');
            options = option switch
            {
                "--network" => options with { Networks = values },
                "--export" => options with { Export = value },
                "--model" => options with { Models = values },
                "--split" => options with { Splits = [.. values.Select(v => Enum.Parse<Split>(v, ignoreCase: true))] },
                "--cache" => options with { Cache = value },
                "--samples" => options with { Samples = [.. values.Select(v => int.Parse(v, CultureInfo.InvariantCulture))] },
                "--draws" => options with { Draws = [.. values.Select(v => int.Parse(v, CultureInfo.InvariantCulture))] },
                _ => throw new EspalierException($"There is no option '{option}'."),
            };
        }
        return options;
    }
}
