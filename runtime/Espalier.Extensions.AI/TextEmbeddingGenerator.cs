using Espalier.Runtime;
using Microsoft.Extensions.AI;

namespace Espalier.Extensions.AI;

/// <summary>
/// Vectors of texts by an encoder: tokens, the model, pooling, length 1. Safe for use by many threads at once. Its services
/// (<see cref="IEmbeddingGenerator.GetService"/>) are <see cref="EmbeddingGeneratorMetadata"/>, <see cref="ModelSession"/>,
/// ONNX Runtime's session, <see cref="TextTokenizer"/> and the tokenizer in it.
/// </summary>
public sealed class TextEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly ModelSession _session;
    private readonly bool _owned;
    private readonly TextTokenizer _tokenizer;
    private readonly EmbeddingSettings _settings;
    private readonly TensorSignature _output;
    private readonly EmbeddingGeneratorMetadata _metadata;

    /// <summary>Uses a session of an encoder.</summary>
    /// <param name="session">Its inputs are <c>input_ids</c> and, where it has them, <c>attention_mask</c> and
    /// <c>token_type_ids</c>, int64 or int32.</param>
    /// <param name="settings">How texts become vectors.</param>
    /// <param name="tokenizer">The tokenizer; null: that of the settings.</param>
    /// <param name="ownsSession">Whether the session is disposed of with this object.</param>
    /// <exception cref="EspalierException">The model is no such encoder, or the tokenizer cannot be read.</exception>
    public TextEmbeddingGenerator(ModelSession session, EmbeddingSettings settings, TextTokenizer? tokenizer = null,
        bool ownsSession = false)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(settings);
        (_session, _settings, _owned) = (session, settings, ownsSession);
        if (session.Inputs.FirstOrDefault(i => i.ElementType is not ("int64" or "int32")
            || i.Name is not (EncoderInputs.Ids or EncoderInputs.Mask or EncoderInputs.Types)) is { } foreign)
            throw new EspalierException($"{settings.ModelId} wants '{foreign.Name}' {foreign}, which is not made of a text: an encoder "
                + "takes input_ids, attention_mask and token_type_ids, int64 or int32.");
        _output = session.Outputs.FirstOrDefault(o => settings.Output is null || o.Name == settings.Output)
            ?? throw new EspalierException($"{settings.ModelId} has no output '{settings.Output}'; it has "
                + string.Join(", ", session.Outputs.Select(o => o.Name)) + ".");
        int rank = settings.Pooling == Pooling.None ? 2 : 3;
        if (_output.ElementType != "float32" || _output.Dimensions is { Count: > 0 } sizes && sizes.Count != rank)
            throw new EspalierException($"The output '{_output.Name}' of {settings.ModelId} is {_output}; with {nameof(Pooling)}."
                + $"{settings.Pooling} it has to be float32 with {rank} axes.");
        _tokenizer = tokenizer ?? TextTokenizer.Open(settings.Tokenizer);
        _metadata = new("espalier", null, settings.ModelId, (int?)_output.Dimensions?.LastOrDefault().Size);
    }

    /// <inheritdoc/>
    /// <exception cref="EspalierException">Other dimensions are asked for than the model has; or ONNX Runtime failed.</exception>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Task.Run(() => Generate([.. values], options, cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        object[] all = [this, _metadata, _session, _session.Inner, _tokenizer, _tokenizer.Inner, _settings];
        return Array.Find(all, serviceType.IsInstanceOfType);
    }

    /// <summary>Disposes of the session where it is this object's own.</summary>
    public void Dispose()
    {
        if (_owned) _session.Dispose();
    }

    private GeneratedEmbeddings<Embedding<float>> Generate(string[] texts, EmbeddingGenerationOptions? options,
        CancellationToken cancellationToken)
    {
        int[][] tokens = [.. texts.Select(t => _tokenizer.Encode(t, _settings.MaxTokens))];
        var vectors = new float[texts.Length][];
        foreach (int[] batch in Enumerable.Range(0, texts.Length).OrderBy(i => tokens[i].Length).Chunk(_settings.BatchSize))
        {
            var inputs = new TextBatch([.. batch.Select(i => tokens[i])], _tokenizer.Padding);
            var result = _session.Run(EncoderInputs.Of(inputs, _session.Inputs), [_output.Name], cancellationToken)[_output.Name]
                .As<float>();
            for (int k = 0; k < batch.Length; k++) vectors[batch[k]] = Vectors.Of(result, inputs, k, _settings);
        }
        if (options?.Dimensions is { } wanted && vectors.FirstOrDefault() is { } first && first.Length != wanted)
            throw new EspalierException(
                $"Vectors of {wanted} dimensions were asked for; those of {_settings.ModelId} have {first.Length}.");
        long count = tokens.Sum(t => (long)t.Length);
        var now = DateTimeOffset.UtcNow;
        return new(vectors.Select(v => new Embedding<float>(v) { CreatedAt = now, ModelId = _settings.ModelId }))
        {
            Usage = new() { InputTokenCount = count, TotalTokenCount = count },
        };
    }
}
