using System.Diagnostics;
using Espalier;

namespace Fashion;

/// <summary>Classes that a model gives to the test images, and the processor time that it took.</summary>
/// <param name="Classes">Class per image.</param>
/// <param name="Accuracy">Fraction of images whose class is right.</param>
/// <param name="Seconds">Processor time of all runs.</param>
internal sealed record Measurement(int[] Classes, double Accuracy, double Seconds)
{
    private const int BatchSize = 100;

    /// <summary>Fraction of images to which both models give the same class.</summary>
    public double Agreement(Measurement other) => Classes.Zip(other.Classes).Count(p => p.First == p.Second) / (double)Classes.Length;

    /// <summary>
    /// Runs models over all images, batch by batch in turn, so that whatever else the machine does hits all of them alike.
    /// </summary>
    /// <param name="images">The images.</param>
    /// <param name="models">From a batch to logits [batch, classes].</param>
    public static Measurement[] Of(TestImages images, params Func<TensorData<float>, TensorData<float>>[] models)
    {
        var classes = models.Select(_ => new int[images.Count]).ToArray();
        var time = new TimeSpan[models.Length];
        using var process = Process.GetCurrentProcess();
        // The first run of a session allocates and prepares; it is not what a program sees.
        foreach (var model in models) model(images.Batch(0, BatchSize));
        for (int start = 0, turn = 0; start < images.Count; start += BatchSize, turn++)
        {
            var batch = images.Batch(start, Math.Min(BatchSize, images.Count - start));
            for (int k = 0; k < models.Length; k++)
            {
                int m = (k + turn) % models.Length;
                process.Refresh();
                var before = process.TotalProcessorTime;
                var logits = models[m](batch);
                process.Refresh();
                time[m] += process.TotalProcessorTime - before;
                Largest(logits).CopyTo(classes[m], start);
            }
        }
        return [.. models.Select((_, m) =>
            new Measurement(classes[m], Enumerable.Range(0, images.Count)
                .Count(i => classes[m][i] == images.Label(i)) / (double)images.Count, time[m].TotalSeconds))];
    }

    private static int[] Largest(TensorData<float> logits)
    {
        var values = logits.Values.Span;
        int width = (int)logits.Shape[^1];
        var result = new int[values.Length / width];
        for (int row = 0; row < result.Length; row++)
        {
            var scores = values.Slice(row * width, width);
            for (int c = 1; c < width; c++) if (scores[c] > scores[result[row]]) result[row] = c;
        }
        return result;
    }
}
