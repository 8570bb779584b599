using System.Diagnostics;
using System.Numerics.Tensors;
using Microsoft.Extensions.AI;
using Microsoft.ML.Tokenizers;

namespace Search;

/// <summary>A verse that was found.</summary>
/// <param name="Place">Its place among the verses.</param>
/// <param name="Similarity">Cosine with the query.</param>
public sealed record Hit(int Place, string Text, float Similarity);

/// <summary>What one of the models answers.</summary>
/// <param name="Milliseconds">Time of the query's vector and of the comparison with all verses.</param>
public sealed record Answer(double Milliseconds, IReadOnlyList<Hit> Hits);

/// <summary>The verses with their vectors by one model.</summary>
public sealed class Passages
{
    private readonly IEmbeddingGenerator<string, Embedding<float>> _generator;
    private readonly IReadOnlyList<string> _verses;
    private readonly Lazy<Task<float[][]>> _vectors;

    public Passages(IEmbeddingGenerator<string, Embedding<float>> generator, IReadOnlyList<string> verses)
    {
        (_generator, _verses) = (generator, verses);
        _vectors = new(async () => [.. (await generator.GenerateAsync(verses)).Select(e => e.Vector.ToArray())]);
        var tokenizer = generator.GetRequiredService<Tokenizer>();
        Tokens = [.. verses.Select(v => tokenizer.CountTokens(v))];
    }

    /// <summary>Tokens of each verse.</summary>
    public IReadOnlyList<int> Tokens { get; }

    /// <summary>The vectors of all verses; the first call takes seconds.</summary>
    public Task<float[][]> Vectors() => _vectors.Value;

    /// <summary>The verses that are nearest to the query, the nearest first.</summary>
    public async Task<Answer> Search(string query, int count, CancellationToken cancellation = default)
    {
        var vectors = await Vectors();
        long start = Stopwatch.GetTimestamp();
        float[] similarities = await Similarities(query, vectors, cancellation);
        double time = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        return new(Math.Round(time, 2), [.. Enumerable.Range(0, _verses.Count).OrderByDescending(i => similarities[i]).Take(count)
            .Select(i => new Hit(i, _verses[i], similarities[i]))]);
    }

    /// <summary>
    /// The verses of a range that are worth their tokens: the nearest to the query first, while they fit the budget; in the order
    /// of the text. What a reader with a limited context is then given, before it sees a token.
    /// </summary>
    /// <param name="range">The text, as places of verses.</param>
    /// <param name="budget">Tokens that the chosen verses have at most.</param>
    public async Task<Answer> Filter(string query, Range range, int budget, CancellationToken cancellation = default)
    {
        var vectors = await Vectors();
        long start = Stopwatch.GetTimestamp();
        float[] similarities = await Similarities(query, vectors, cancellation);
        double time = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        var (first, length) = range.GetOffsetAndLength(_verses.Count);
        var chosen = new List<int>();
        foreach (int i in Enumerable.Range(first, length).OrderByDescending(i => similarities[i]))
        {
            if (Tokens[i] > budget) continue;
            budget -= Tokens[i];
            chosen.Add(i);
        }
        return new(Math.Round(time, 2), [.. chosen.Order().Select(i => new Hit(i, _verses[i], similarities[i]))]);
    }

    // Vectors have length 1, so that the dot product is the cosine.
    private async Task<float[]> Similarities(string query, float[][] vectors, CancellationToken cancellation)
    {
        var vector = await _generator.GenerateVectorAsync(query, cancellationToken: cancellation);
        return [.. vectors.Select(v => TensorPrimitives.Dot(v, vector.Span))];
    }
}
