using Espalier.Extensions.AI;
using Espalier.Extensions.DependencyInjection;
using Espalier.Onnx;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.Tokenizers;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Runtime.Tests.Extensions;

/// <summary>Vectors of texts, compared with what the same model gives for one text at a time without padding.</summary>
public sealed class EmbeddingTests : IDisposable
{
    private const int Width = 5;

    private readonly string _folder = Directory.CreateTempSubdirectory("espalier-embeddings-").FullName;

    private string Vocabulary => Path.Combine(_folder, "vocab.txt");

    private static readonly string[] Pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "##s", "on", ".", "cafe"];

    private static readonly string[] Texts = ["The cat sat.", "cats", "", "the cat sat on the cats . the cat sat", "cat cat cat"];

    public EmbeddingTests() => File.WriteAllLines(Vocabulary, Pieces);

    public void Dispose() => Directory.Delete(_folder, true);

    /// <summary>
    /// Embeds each token, adds what the mask and the types say, and the mean over all tokens, padded ones included: a model in
    /// which a wrong mask or type, or a place that moves, is seen. The second output has one vector per text.
    /// </summary>
    private static OnnxModel Encoder(DataType type = DataType.Int64, bool types = true)
    {
        var g = new GraphBuilder();
        string ids = g.Input("input_ids", type, "batch", "sequence");
        string mask = Column(g, g.Input("attention_mask", type, "batch", "sequence"));
        string x = g.Node("Gather", [g.Weight("words", Pieces.Length, Width), ids]);
        if (types) x = g.Node("Add", [x, Column(g, g.Input("token_type_ids", type, "batch", "sequence"))]);
        string sum = g.Node("ReduceSum", [g.Node("Mul", [x, mask]), g.Longs(1)], ("keepdims", 1L));
        string hidden = g.Rename(g.Node("Add", [x, g.Node("Tanh", sum)]), "last_hidden_state");
        string pooled = g.Rename(g.Node("Squeeze", [sum, g.Longs(1)]), "pooled");
        return g.Output(hidden, "batch", "sequence", Width).Output(pooled, "batch", Width).Build();
    }

    private static string Column(GraphBuilder g, string tokens)
        => g.Node("Unsqueeze", [g.Node("Cast", tokens, ("to", (long)DataType.Float)), g.Longs(2)]);

    private static ModelSession Session(OnnxModel model)
    {
        using var bytes = new MemoryStream();
        model.Save(bytes);
        return new ModelSession(bytes.ToArray().AsMemory());
    }

    private EmbeddingSettings Settings => new("Shop.SlimTiny", Vocabulary);

    /// <summary>The tokens by hand.</summary>
    private static readonly int[][] Tokens =
        [[2, 5, 6, 7, 10, 3], [2, 6, 8, 3], [2, 3], [2, 5, 6, 7, 9, 5, 6, 8, 10, 5, 6, 7, 3], [2, 6, 6, 6, 3]];

    /// <summary>One text alone, nothing padded.</summary>
    private static float[] Alone(ModelSession session, int[] tokens, EmbeddingSettings settings)
    {
        long[] ids = [.. tokens.Select(t => (long)t)];
        NamedTensor Named(string name, Func<long, long> value) => session.Inputs.Single(i => i.Name == name).ElementType == "int32"
            ? new(name, "int32", [1, ids.Length], ids.Select(i => (int)value(i)).ToArray())
            : new(name, "int64", [1, ids.Length], ids.Select(value).ToArray());
        var inputs = session.Inputs.Select(i => Named(i.Name, id => i.Name == "input_ids" ? id : i.Name == "attention_mask" ? 1 : 0));
        var output = session.Run(inputs);
        float[] hidden = (float[])output["last_hidden_state"].Values, vector = new float[Width];
        for (int d = 0; d < Width; d++)
            vector[d] = settings.Pooling switch
            {
                Pooling.First => hidden[d],
                Pooling.Last => hidden[((ids.Length - 1) * Width) + d],
                Pooling.None => ((float[])output["pooled"].Values)[d],
                _ => Enumerable.Range(0, ids.Length).Average(t => hidden[(t * Width) + d]),
            };
        double length = settings.Normalise ? Math.Sqrt(vector.Sum(v => (double)v * v)) : 1;
        return [.. vector.Select(v => (float)(v / length))];
    }

    [Theory]
    [InlineData(Pooling.Mean, true, 2)]
    [InlineData(Pooling.Mean, false, 32)]
    [InlineData(Pooling.First, true, 1)]
    [InlineData(Pooling.Last, true, 32)]
    [InlineData(Pooling.None, true, 3)]
    public async Task Batches_give_what_each_text_gives_alone(Pooling pooling, bool normalise, int batch)
    {
        foreach (var model in new[] { Encoder(), Encoder(DataType.Int32), Encoder(types: false) })
        {
            using var session = Session(model);
            var settings = Settings with
            {
                Pooling = pooling,
                Normalise = normalise,
                BatchSize = batch,
                Output = pooling == Pooling.None ? "pooled" : null,
            };
            using var generator = new TextEmbeddingGenerator(session, settings);
            var vectors = await generator.GenerateAsync(Texts);
            Assert.Equal(Texts.Length, vectors.Count);
            for (int i = 0; i < Texts.Length; i++)
                Assert.Equal(Alone(session, Tokens[i], settings), vectors[i].Vector.ToArray(), Close);
            Assert.Equal((Tokens.Sum(t => (long)t.Length), "Shop.SlimTiny"), (vectors.Usage!.InputTokenCount!.Value, vectors[0].ModelId));
        }
    }

    private static bool Close(float a, float b) => Math.Abs(a - b) < 1e-5f;

    [Fact]
    public void Tokens_are_cut_off_before_the_last_one()
    {
        var tokenizer = TextTokenizer.Open(Vocabulary);
        Assert.Equal(Tokens, Texts.Select(t => tokenizer.Encode(t, 64)));
        Assert.Equal([2, 5, 6, 7, 3], tokenizer.Encode(Texts[3], 5));
        Assert.Equal([2, 1, 3], tokenizer.Encode("unheard", 5));
        var batch = tokenizer.Samples(["cats", "the"], 64).Select(b => (b.Ids<long>(), b.Mask<int>(), b.Types<long>())).ToList();
        Assert.Equal([2L, 6, 8, 3], batch[0].Item1.Values.ToArray());
        Assert.Equal([1, 1, 1, 1], batch[0].Item2.Values.ToArray());
        Assert.Equal([0L, 0, 0], batch[1].Item3.Values.ToArray());
        Assert.Equal([1, 3], batch[1].Item1.Shape);
    }

    /// <summary>A capital in a piece says that the vocabulary is cased; brackets do not count.</summary>
    [Fact]
    public void Cased_vocabularies_are_known_by_their_pieces()
    {
        Assert.Equal([2, 5, 3], TextTokenizer.Open(Vocabulary).Encode("THE", 9));
        File.AppendAllLines(Vocabulary, ["The"]);
        Assert.Equal([2, 12, 5, 1, 3], TextTokenizer.Open(Vocabulary).Encode("The the THE", 9));
    }

    /// <summary>Of composed letters and of those with a mark behind them.</summary>
    [Fact]
    public void Accents_are_taken_off_for_uncased_vocabularies()
    {
        Assert.Equal([2, 11, 3], TextTokenizer.Open(Vocabulary).Encode("Cafe\u0301", 9));
        Assert.Equal([2, 11, 3], TextTokenizer.Open(Vocabulary).Encode("Café", 9));
        Assert.Equal([2, 11, 3], TextTokenizer.Open(Vocabulary).Encode("Cầfẹ", 9));
    }

    [Fact]
    public void Files_that_are_no_tokenizers_are_refused()
    {
        string json = Path.Combine(_folder, "tokenizer.json"), empty = Path.Combine(_folder, "empty.txt"),
            model = Path.Combine(_folder, "x.model");
        foreach (string file in new[] { json, empty, model }) File.WriteAllText(file, "{}");
        string Refused(string path) => Assert.Throws<EspalierException>(() => TextTokenizer.Open(path)).Message;
        Assert.Contains("a tokenizer.json is not read here; give the model's vocab.txt", Refused(json), StringComparison.Ordinal);
        Assert.Contains("cannot be read", Refused(empty), StringComparison.Ordinal);
        Assert.Contains("cannot be read", Refused(model), StringComparison.Ordinal);
        Assert.Contains("List it in the project as <EspalierTokenizer Include=\"models/none.txt\" />", Refused("models/none.txt"),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Models_that_are_no_encoders_are_refused()
    {
        using var session = Session(Encoder());
        string Refused(EmbeddingSettings settings)
            => Assert.Throws<EspalierException>(() => new TextEmbeddingGenerator(session, settings)).Message;
        Assert.Equal("Shop.SlimTiny has no output 'y'; it has last_hidden_state, pooled.", Refused(Settings with { Output = "y" }));
        Assert.Equal("The output 'pooled' of Shop.SlimTiny is float32[batch,5]; with Pooling.Mean it has to be float32 with 3 axes.",
            Refused(Settings with { Output = "pooled" }));
        var g = new GraphBuilder();
        using var other = Session(g.Output(g.Node("Relu", g.Input("x", 1, 3)), 1, 3).Build());
        Assert.Contains("'x' float32[1,3], which is not made of a text",
            Assert.Throws<EspalierException>(() => new TextEmbeddingGenerator(other, Settings)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Services_dimensions_cancellation_and_ownership()
    {
        var session = Session(Encoder());
        IEmbeddingGenerator<string, Embedding<float>> generator = new TextEmbeddingGenerator(session, Settings);
        Assert.Equal(("Shop.SlimTiny", Width), (generator.GetService<EmbeddingGeneratorMetadata>()!.DefaultModelId,
            generator.GetService<EmbeddingGeneratorMetadata>()!.DefaultModelDimensions));
        Assert.Same(session, generator.GetService<ModelSession>());
        Assert.Same(session.Inner, generator.GetService<InferenceSession>());
        Assert.IsType<BertTokenizer>(generator.GetService<Tokenizer>());
        Assert.Null(generator.GetService(typeof(ModelSession), "key"));
        Assert.Equal(Width, (await generator.GenerateVectorAsync("cat", new() { Dimensions = Width })).Length);
        await Assert.ThrowsAsync<EspalierException>(() => generator.GenerateAsync(["cat"], new() { Dimensions = 3 }));
        Assert.Empty(await generator.GenerateAsync([]));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(()
            => generator.GenerateAsync(["cat"], cancellationToken: new CancellationToken(true)));
        generator.Dispose();
        Assert.NotEmpty(await generator.GenerateAsync(["cat"]));
        new TextEmbeddingGenerator(session, Settings, ownsSession: true).Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => generator.GenerateAsync(["cat"]));
    }

    [Fact]
    public async Task The_container_gives_one_generator_over_the_policy_s_session()
    {
        string path = Path.Combine(_folder, "model.onnx");
        using (var file = File.Create(path)) Encoder().Save(file);
        var services = new ServiceCollection();
        EmbeddingServices.Add(SlimModelServices.Add<Texted, Texted>(services, "Shop.SlimTiny", o => o.ModelPath = path), Settings);
        EmbeddingServices.AddKeyed(SlimModelServices.AddKeyed<Texted, Texted>(services, "Shop.SlimTiny", "b", o => o.ModelPath = path), "b",
            Settings);
        using var provider = services.BuildServiceProvider();
        var generator = provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
        Assert.Same(generator, provider.GetRequiredService<IEmbeddingGenerator>());
        Assert.Same(generator, provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("Shop.SlimTiny"));
        Assert.Same(provider.GetRequiredKeyedService<ModelSession>("Shop.SlimTiny"), generator.GetService<ModelSession>());
        var keyed = provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("b");
        Assert.Same(provider.GetRequiredKeyedService<ModelSession>("b"), keyed.GetService<ModelSession>());
        Assert.Equal((await generator.GenerateVectorAsync("the cat")).ToArray(), (await keyed.GenerateVectorAsync("the cat")).ToArray());
    }

    private sealed record Texted : IModelInputs, IModelOutputs<Texted>
    {
        public IReadOnlyList<NamedTensor> ToTensors() => [];

        public static Texted FromTensors(IReadOnlyDictionary<string, NamedTensor> tensors) => new();
    }
}
