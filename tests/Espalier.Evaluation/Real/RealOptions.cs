using System.Globalization;

namespace Espalier.Evaluation.Real;

/// <summary>What the verb <c>real</c> is to do.</summary>
internal sealed record RealOptions
{
    /// <summary>Samples of calibration data that are usual, beside all that a network has.</summary>
    public const int FewSamples = 128;

    /// <summary>Networks; none for all of the table.</summary>
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

    /// <summary>Measures the table.</summary>
    public bool Table { get; init; }

    public IReadOnlyList<Preset> Presets { get; init; } = Enum.GetValues<Preset>();

    /// <summary>Bounds on the multiply-accumulates.</summary>
    public IReadOnlyList<double> Ratios { get; init; } = [0.75, 0.5];

    /// <summary>Measures rows of another version of the product anew.</summary>
    public bool Fresh { get; init; }

    /// <summary>Whether slim models are timed.</summary>
    public bool Timed { get; init; } = true;

    /// <summary>What a process that slims may take before it is stopped: memory, and processor time.</summary>
    public double MostMegabytes { get; init; } = 10_000;

    public double MostMinutes { get; init; } = 60;

    public static RealOptions Parse(string[] args)
    {
        var options = new RealOptions();
        for (int i = 0; i < args.Length; i++)
            options = Flag(options, args[i]) ?? Valued(options, args[i], i + 1 < args.Length
                ? args[++i]
                : throw new EspalierException($"'{args[i]}' is no verb, and an option has a value."));
        return options;
    }

    private static RealOptions? Flag(RealOptions options, string flag) => flag switch
    {
        "data" => options with { Data = true },
        "table" => options with { Table = true },
        "--fresh" => options with { Fresh = true },
        "--untimed" => options with { Timed = false },
        _ => null,
    };

    private static RealOptions Valued(RealOptions options, string option, string value)
    {
        string[] values = value.Split(',');
        double Number(string v) => double.Parse(v, CultureInfo.InvariantCulture);
        return option switch
        {
            "--network" => options with { Networks = values },
            "--export" => options with { Export = value },
            "--model" => options with { Models = values },
            "--split" => options with { Splits = [.. values.Select(v => Enum.Parse<Split>(v, ignoreCase: true))] },
            "--cache" => options with { Cache = value },
            "--samples" => options with { Samples = [.. values.Select(v => (int)Number(v))] },
            "--draws" => options with { Draws = [.. values.Select(v => (int)Number(v))] },
            "--presets" => options with { Presets = [.. values.Select(v => Enum.Parse<Preset>(v, ignoreCase: true))] },
            "--ratios" => options with { Ratios = [.. values.Select(Number)] },
            "--most-megabytes" => options with { MostMegabytes = Number(value) },
            "--most-minutes" => options with { MostMinutes = Number(value) },
            _ => throw new EspalierException($"There is no option '{option}'."),
        };
    }
}
