using Espalier.Calibration.Data;
using Espalier.Onnx;

namespace Espalier.Evaluation;

/// <summary>Texts for a model with a WordPiece vocabulary, by the product's own tokenizer.</summary>
internal static class Tokens
{
    /// <summary>A sample for each text.</summary>
    /// <param name="length">Most tokens of one.</param>
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Of(IReadOnlyList<string> texts, OnnxModel model,
        string vocabulary, int length)
    {
        // The tokenizer reads files.
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".txt");
        File.WriteAllLines(file, texts);
        try
        {
            var samples = CalibrationData.Read(file, model,
                new DataOptions { Samples = texts.Count, Length = length, Vocabulary = vocabulary });
            return samples.Count == texts.Count ? samples : throw new EspalierException("A text has no words.");
        }
        finally
        {
            File.Delete(file);
        }
    }
}
