using Espalier.Onnx;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Runtime.Tests;

public class SessionTests
{
    internal sealed record Inputs(TensorData<long> InputIds, TensorData<long> AttentionMask) : IModelInputs
    {
        public IReadOnlyList<NamedTensor> ToTensors()
            => [NamedTensor.From("input_ids", InputIds), NamedTensor.From("attention_mask", AttentionMask)];
    }

    internal sealed record Outputs(TensorData<float> Logits) : IModelOutputs<Outputs>
    {
        public static Outputs FromTensors(IReadOnlyDictionary<string, NamedTensor> tensors) => new(tensors["logits"].As<float>());
    }

    internal static string Bert => Assets.Path("bert.onnx");

    private static Inputs Tokens(int batch, int length) => new(
        new TensorData<long>(Enumerable.Range(5, batch * length).Select(i => (long)i).ToArray(), [batch, length]),
        new TensorData<long>(Enumerable.Repeat(1L, batch * length).ToArray(), [batch, length]));

    /// <summary>Thousands of large products, minutes of work: only cancellation ends it soon, however late that comes.</summary>
    private static OnnxModel Slow()
    {
        var g = new GraphBuilder();
        string x = g.Input("x", 1500, 1500);
        for (int i = 0; i < 4000; i++) x = g.Node("Tanh", g.MatMul(x, "x"));
        return g.Output(x).Build();
    }

    [Fact]
    public void Path_bytes_and_the_caller_s_session_give_the_same_typed_outputs()
    {
        using var fromPath = new ModelSession<Inputs, Outputs>(Bert);
        using var fromBytes = new ModelSession<Inputs, Outputs>(File.ReadAllBytes(Bert).AsMemory());
        using var own = new InferenceSession(Bert);
        float[] expected;
        using (var fromSession = new ModelSession<Inputs, Outputs>(own))
        {
            var y = fromSession.Run(Tokens(2, 9));
            Assert.Equal([2, 6], y.Logits.Shape);
            expected = y.Logits.Values.ToArray();
        }
        Assert.True(expected.Distinct().Count() > 6);
        Assert.Equal(expected, fromPath.Run(Tokens(2, 9)).Logits.Values.ToArray());
        Assert.Equal(expected, fromBytes.Run(Tokens(2, 9)).Logits.Values.ToArray());
        // Still usable: the session is the caller's.
        using var again = new ModelSession(own);
        Assert.Equal(["input_ids int64[batch,sequence]", "attention_mask int64[batch,sequence]"],
            again.Inputs.Select(i => $"{i.Name} {i}"));
        Assert.Equal("logits float32[batch,6]", $"{again.Outputs[0].Name} {again.Outputs[0]}");
        Assert.NotEmpty(again.Run(Tokens(1, 3).ToTensors()));
    }

    [Fact]
    public void Mistakes_name_the_input_what_was_given_and_what_is_wanted()
    {
        using var session = new ModelSession(Bert);
        var good = Tokens(1, 4).ToTensors();
        void Refused(string message, params NamedTensor[] inputs)
            => Assert.Contains(message, Assert.Throws<EspalierException>(() => session.Run(inputs)).Message);
        Refused("Input 'attention_mask' is missing; the model wants int64[batch,sequence].", good[0]);
        Refused("has no input 'tokens'; it wants 'input_ids' int64[batch,sequence], 'attention_mask' int64[batch,sequence].",
            new NamedTensor("tokens", "int64", [1], new long[1]));
        Refused("Input 'input_ids' was given as int32[1,4]; the model wants int64[batch,sequence].", good[1],
            new NamedTensor("input_ids", "int32", [1, 4], new int[4]));
        Refused("Input 'input_ids' was given as int64[4]; the model wants int64[batch,sequence].", good[1],
            new NamedTensor("input_ids", "int64", [4], new long[4]));
        Refused("Input 'input_ids' was given as int64[1,4], which is 4 elements, with 3 elements.", good[1],
            new NamedTensor("input_ids", "int64", [1, 4], new long[3]));
        Refused("Input 'input_ids' holds a Int32[]", good[1], new NamedTensor("input_ids", "int64", [1, 4], new int[4]));
        Refused("Input 'input_ids' was given twice.", good[0], good[0], good[1]);
        Refused("'sequence' is 4 in 'input_ids' and 5 in 'attention_mask'.", good[0], Tokens(1, 5).ToTensors()[1]);
        // An index beyond the table fails inside the model: ONNX Runtime's reason is kept.
        Refused("'input_ids' int64[1,4]", new NamedTensor("input_ids", "int64", [1, 4], new long[] { 1, 2, 3, 99999 }), good[1]);
        Assert.Contains("has no output 'y'; it has logits", Assert.Throws<EspalierException>(() => session.Run(good, ["y"])).Message);
        using var image = new ModelSession(Assets.Path("resnet.onnx"));
        Assert.Contains("Input 'image' was given as float32[1,3,28,28]; the model wants float32[batch,1,28,28].",
            Assert.Throws<EspalierException>(() =>
                image.Run([new NamedTensor("image", "float32", [1, 3, 28, 28], new float[3 * 784])])).Message);
    }

    [Fact]
    public void Files_that_do_not_load_are_named()
    {
        Assert.Contains("'nowhere.onnx'", Assert.Throws<EspalierException>(() => new ModelSession("nowhere.onnx")).Message);
        Assert.Contains("in memory", Assert.Throws<EspalierException>(() => new ModelSession(new byte[] { 1, 2, 3 }.AsMemory())).Message);
    }

    [Fact]
    public void The_caller_s_options_are_honoured()
    {
        string saved = Path.Combine(Path.GetTempPath(), $"espalier-{Guid.NewGuid():N}.onnx");
        try
        {
            using var options = new SessionOptions
            {
                OptimizedModelFilePath = saved,
                GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_BASIC
            };
            using (new ModelSession(Assets.Path("vit.onnx"), options)) Assert.True(File.Exists(saved));
        }
        finally
        {
            File.Delete(saved);
        }
    }

    [Fact]
    public async Task Many_threads_run_one_session()
    {
        using var session = new ModelSession<Inputs, Outputs>(Bert);
        var alone = Enumerable.Range(1, 8).Select(n => session.Run(Tokens(1, n)).Logits.Values.ToArray()).ToList();
        var together = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(() => session.Run(Tokens(1, i % 8 + 1)))));
        for (int i = 0; i < together.Length; i++) Assert.Equal(alone[i % 8], together[i].Logits.Values.ToArray());
    }

    [Fact]
    public async Task Cancellation_stops_a_run_and_leaves_the_session_usable()
    {
        using var session = new ModelSession(Slow().ToBytes());
        NamedTensor[] inputs = [new("x", "float32", [1500, 1500], new float[1500 * 1500])];
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.RunAsync(inputs, new CancellationToken(true)));
        using var source = new CancellationTokenSource();
        var run = session.RunAsync(inputs, source.Token);
        source.CancelAfter(100);
        var e = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.Equal(source.Token, e.CancellationToken);
        using var small = new ModelSession(Bert);
        Assert.NotEmpty(await small.RunAsync(Tokens(1, 2).ToTensors()));
    }

    [Fact]
    public async Task Disposing_waits_for_runs_that_are_under_way()
    {
        var session = new ModelSession(Bert);
        var runs = Enumerable.Range(0, 20).Select(_ => Task.Run(() =>
        {
            try
            {
                return session.Run(Tokens(4, 64).ToTensors()).Count;
            }
            catch (ObjectDisposedException)
            {
                return 0;
            }
        })).ToList();
        await Task.Delay(20);
        session.Dispose();
        session.Dispose();
        Assert.All(await Task.WhenAll(runs), n => Assert.InRange(n, 0, 1));
        Assert.Throws<ObjectDisposedException>(() => session.Run(Tokens(1, 1).ToTensors()));
    }

    [Fact]
    public void Every_element_type_goes_in_and_comes_out()
    {
        var types = new (DataType Type, Array Values)[]
        {
            (DataType.Float, new[] { 1.5f, -2 }), (DataType.Double, new[] { 1.5, -2 }), (DataType.Float16, new[] { (Half)1.5, (Half)(-2) }),
            (DataType.Bfloat16, new ushort[] { 0x3fc0, 0xc000 }), (DataType.Int8, new sbyte[] { 1, -2 }),
            (DataType.Int16, new short[] { 1, -2 }),
            (DataType.Int32, new[] { 1, -2 }), (DataType.Int64, new[] { 1L, -2 }), (DataType.Uint8, new byte[] { 1, 2 }),
            (DataType.Uint16, new ushort[] { 1, 2 }),
            (DataType.Uint32, new uint[] { 1, 2 }), (DataType.Uint64, new ulong[] { 1, 2 }), (DataType.Bool, new[] { true, false }),
            (DataType.String, new[] { "a", "ß" }),
        };
        foreach (var (type, values) in types)
        {
            var g = new GraphBuilder();
            var x = g.Input("x", type, "n");
            var model = g.Output(g.Rename(g.Node("Identity", x), "y"), type).Build();
            using var session = new ModelSession(model.ToBytes());
            string name = type.ToString().ToLowerInvariant() switch { "float" => "float32", "double" => "float64", var n => n };
            var y = session.Run([new NamedTensor("x", name, [2], values)])["y"];
            Assert.Equal(name, y.ElementType);
            Assert.Equal(values, y.Values);
            Assert.NotSame(values, y.Values);
            Assert.Equal([0],
                session.Run([new NamedTensor("x", name, [0], Array.CreateInstance(values.GetType().GetElementType()!, 0))])["y"].Shape);
        }
    }

    [Fact]
    public void Typed_data_are_passed_without_a_copy()
    {
        var whole = new float[] { 1, 2, 3 };
        Assert.Same(whole, NamedTensor.From("x", new TensorData<float>(whole, [3])).Values);
        Assert.Equal(new float[] { 2, 3 }, NamedTensor.From("x", new TensorData<float>(whole.AsMemory(1), [2])).Values);
        Assert.Contains("no element type",
            Assert.Throws<EspalierException>(() => NamedTensor.From("x", new TensorData<decimal>(new decimal[1], [1]))).Message);
        Assert.Contains("holds float32, not int64",
            Assert.Throws<EspalierException>(() => NamedTensor.From("x", new TensorData<float>(whole, [3])).As<long>()).Message);
    }
}
