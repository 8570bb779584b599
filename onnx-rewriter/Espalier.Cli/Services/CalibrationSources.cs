using Espalier.Calibration.Data;

namespace Espalier.Cli.Services;

/// <summary>A plan's calibration data as the room that reads them wants them.</summary>
internal static class CalibrationSources
{
    public static DataOptions ToOptions(this CalibrationSource source, IReadOnlyDictionary<string, long> dimensions) => new()
    {
        Samples = source.Samples,
        Vocabulary = source.Tokenizer,
        Mean = source.Mean,
        Deviation = source.Deviation,
        Dimensions = dimensions,
    };
}
