namespace Espalier.Generator.Tests;

/// <summary>A small transformer with a convolutional stem, as a manifest, and a policy for it.</summary>
internal static class Samples
{
    public const string Model = "models/tiny.onnx";

    /// <summary>The manifest as text: written out, so that a change of the format shows here.</summary>
    public static string Manifest { get; } = string.Join("\n",
    [
        "espalier-manifest\t2",
        "model\tmodels/tiny.onnx",
        "sha256\t" + new string('a', 64),
        "bytes\t321000",
        "input\tinput_ids\tint64\t?batch\t?seq",
        "input\tattention.mask\tbool\t?batch\t?seq",
        "input\tpixels\tfloat32\t1\t3\t32\t32",
        "output\tlogits\tfloat32\t?batch\t2",
        "output\t12\tfloat16\t*",
        "group\t0\tstem\tchannels\t64\texact\t1\t-1\t\tstem.weight:0\tstem.bias:0\tconv2.weight:1",
        "group\t1\tencoder.0.heads\theads\t4\texact\t1\t-1\t\tencoder.0.q.weight:1\tencoder.0.o.weight:0",
        "group\t2\tencoder.0.ffn\tneurons\t256\texact\t1\t-1\t\tencoder.0.up.weight:1\tencoder.0.down.weight:0",
        "group\t3\tencoder.1.heads\theads\t4\texact\t1\t-1\t\tencoder.1.q.weight:1\tencoder.1.o.weight:0",
        "group\t4\tencoder.1.ffn\tneurons\t256\texact\t1\t-1\t\tencoder.1.up.weight:1\tencoder.1.down.weight:0",
        "group\t5\tstream\twidth\t64\tinexact\t1\t-1\tLayerNormalization 'ln' normalises over it\tembedding:1\tln.weight:0",
        "group\t6\tclasses\tother\t2\tfrozen\t1\t-1\tit is the output 'logits' of the graph\thead.weight:1",
        "group\t7\tgate\tneurons\t16\tfrozen\t1\t-1\tFrobnicate 'f' is not known\tgate.weight:1",
        "group\t8\tdecoder.kv\tkeyValueGroups\t2\texact\t1\t9\t\tdecoder.q.weight:1\tdecoder.k.weight:1",
        "group\t9\tdecoder.queries\theads\t3\texact\t1\t8\t\tdecoder.q.weight:1",
        "block\t0\tsublayer\tencoder.0.attention\t0",
        "block\t1\tsublayer\tencoder.0.mlp\t1",
        "block\t2\tsublayer\tencoder.1.attention\t2",
        "block\t3\tsublayer\tencoder.1.mlp\t3",
        "block\t4\tblock\tencoder.0\t0,1",
        "block\t5\tblock\tencoder.1\t2,3",
        "cost\tmacs\t2000\t-1\t0\t0",
        "cost\tmacs\t524288\t0\t1\t",
        "cost\tmacs\t16384\t1\t2\t",
        "cost\tmacs\t524288\t2\t3\t",
        "cost\tmacs\t16384\t3\t4\t",
        "cost\tmacs\t1000\t-1\t8,9\t",
        "cost\tparameters\t300\t-1\t0\t",
        "cost\tparameters\t4096\t0\t1\t",
        "cost\tparameters\t128\t1\t2\t",
        "cost\tparameters\t4096\t2\t3\t",
        "cost\tparameters\t128\t3\t4\t",
        "cost\tbytes\t1200\t-1\t0\t",
        "cost\tbytes\t16384\t0\t1\t",
        "cost\tbytes\t512\t1\t2\t",
        "cost\tbytes\t16384\t2\t3\t",
        "cost\tbytes\t512\t3\t4\t",
        "cost\tbytes\t5000\t-1\t\t",
        "end",
        "",
    ]);

    public const string Policy = """
        using System.Collections.Generic;
        using Espalier;

        namespace Shop;

        /// <summary>A slim model.</summary>
        [PruningPolicy("models/tiny.onnx", Seed = 7, Publish = false, Sha256 = "0123abcd")]
        [Budget(Macs = 0.6)]
        [Guard(Agreement = 0.98, Metric = Metric.JensenShannon), Divergence(Metric.Cosine, Outputs = new[] { "y" })]
        [Protect("stem*")]
        public static partial class SlimTiny
        {
            [Prune(Axis.Heads, "encoder.*", MinKeep = 2)]
            [Score(Criterion.Variance), Compensate(Compensation.LeastSquares)]
            public static partial Rule AttentionHeads { get; }

            /// <summary>Documented by the user.</summary>
            [Prune(Axis.Neurons, "encoder.*", RoundTo = 16)]
            internal static partial Rule FeedForward { get; }

            [Prune(Axis.Heads, "decoder.*", Keep = 0.5)]
            public static partial Rule Decoder { get; }

            [Calibration(Samples = 64)]
            static IEnumerable<Inputs> Verses() => [];
        }
        """;

    /// <summary>A policy with the given body, for tests of single attributes: what it lacks as a whole is said by others.</summary>
    public static string PolicyOf(string body, string attributes = "")
        => "#pragma warning disable ESP0017, ESP0018\n" + WholePolicyOf(body, attributes);

    /// <summary>The same with what is said of a policy as a whole.</summary>
    public static string WholePolicyOf(string body, string attributes = "") => $$"""
        using System.Collections.Generic;
        using Espalier;

        [PruningPolicy("models/tiny.onnx")]{{attributes}}
        public static partial class Slim
        {
            {{body}}
        }
        """;
}
