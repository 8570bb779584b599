using System.Text.RegularExpressions;
using Espalier.Onnx;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>Every diagnostic of the compiler and every error of the targets, in builds as users run them.</summary>
public sealed partial class DiagnosedBuildTests(SharedFeed feed)
{
    /// <summary>What is wrong starts behind its mark: <c>§ESP0003§</c>.</summary>
    private const string Policies = """
        using System.Collections.Generic;
        using Espalier;

        [§ESP0001§PruningPolicy("models/tiny.onnx"), Budget(Macs = 0.5)]
        public partial class NotStatic;

        [PruningPolicy(§ESP0002§"tiny.onnx"), LowRank("*", Rank = 1), Embeddings(§ESP0020§"vocab.txt")]
        public static partial class NoModel;

        [PruningPolicy("models/tiny.onnx")]
        [Protect(§ESP0003§"frist")]
        public static partial class Mistaken
        {
            [Prune(Axis.Channels, "first", Keep = §ESP0004§1.5, RoundTo = §ESP0004§-1)] public static partial Rule Range { get; }
            [Prune(Axis.Channels, "second", Keep = §ESP0005§0.01, RoundTo = 1)] public static partial Rule Nothing { get; }
            [Prune(Axis.Channels, "third", Keep = §ESP0006§1)] public static partial Rule All { get; }
            [Prune(Axis.Channels, §ESP0009§"second*", Keep = 0.5)] public static partial Rule Again { get; }
            [Prune(Axis.Neurons, §ESP0007§"head*bias", Keep = 0.5)] public static partial Rule Frozen { get; }
            [Prune(Axis.Neurons, §ESP0008§"up*", Keep = 0.5)] public static partial Rule Inexact { get; }
            [§ESP0014§Prune(Axis.Neurons, "up*", Keep = 0.5)] public static Rule Shape => Range;
            [Drop(§ESP0015§Axis.Channels)] public static partial Rule Verb { get; }

            static string §ESP0019§Plan => "";

            [§ESP0011§Calibration(Samples = 8)] static List<int> Data() => [];
        }

        [PruningPolicy("models/tiny.onnx"), §ESP0017§Budget(Macs = §ESP0012§0.001)]
        public static partial class OutOfReach
        {
            [Prune(Axis.Channels, RoundTo = 1)] public static partial Rule Channels { get; }
        }

        [PruningPolicy("models/tiny.onnx")]
        public static partial class Undecided
        {
            [§ESP0016§Prune(Axis.Channels, RoundTo = 1), Score(§ESP0010§Criterion.Wanda)] public static partial Rule Channels { get; }
        }

        [PruningPolicy(§ESP0013§"models/cut.onnx"), LowRank("*", Rank = 1)]
        public static partial class Malformed;

        [§ESP0018§PruningPolicy("models/tiny.onnx")]
        public static partial class Idle;

        #pragma warning disable ESP0018
        [PruningPolicy("models/tiny.onnx")]
        public static partial class Hushed;
        """;

    /// <summary>Errors of declarations, beside which the compiler asks no analyzer.</summary>
    private const string Declarations = """
        using Espalier;

        [§ESP0001§PruningPolicy("models/tiny.onnx")]
        public static partial class Generic<T>
        {
            [Prune(Axis.Channels, Keep = 0.5)] public static partial Rule §CS9248§Channels { get; }
        }

        public class Twice
        {
            int one;
            string §CS0102§one;
        }
        """;

    private const string Configured = """
        [Espalier.PruningPolicy("models/none.onnx"), Espalier.LowRank("*", Rank = 1)]
        public static partial class Configured;
        """;

    [Fact]
    public void Every_diagnostic_arrives_once_in_every_build()
    {
        string ids = File.ReadAllText(Path.Combine(Assets.Root, "docs", "diagnostics", "README.md"));
        var expected = Marks("Policies.cs", Policies);
        Assert.Equal(Id().Matches(ids).Select(m => m.Value).Distinct().Order(StringComparer.Ordinal),
            expected.Select(e => e[^7..]).Distinct().Order(StringComparer.Ordinal));

        var app = new Workspace(feed.Value, "Diagnosed").Write("Policies.cs", Source(Policies)).Write("Configured.cs", Configured)
            .Write(".editorconfig", "root = true\n[Configured.cs]\ndotnet_diagnostic.ESP0002.severity = none\n")
            .Write("models/vocab.txt", "[CLS]").Write("models/cut.espalier-manifest", "espalier-manifest\t1\n")
            .Project("""
                <OnnxModel Include="models/*.onnx" />
                <EspalierTokenizer Include="models/vocab.txt" />
                <AdditionalFiles Include="models/cut.espalier-manifest" EspalierModel="models/cut.onnx" />
                """, properties: """
                <OutputType>Library</OutputType>
                <TreatWarningsAsErrors>false</TreatWarningsAsErrors>
                <NoWarn>$(NoWarn);CS0169;$(Silent)</NoWarn>
                """);
        Model(app["models/tiny.onnx"]);
        Assert.Equal(expected, Found(app.Build("-p:RunAnalyzersDuringBuild=false")));

        app.Write("Declarations.cs", Source(Declarations));
        Assert.Equal([.. Marks("Declarations.cs", Declarations), .. expected.Where(e => !e.EndsWith("ESP0006", StringComparison.Ordinal))],
            Found(app.Build("--no-restore", "-p:Silent=ESP0006")));

        app.Build("--no-restore", "-p:EspalierEnabled=false").Fails()
            .Says("has no model 'models/tiny.onnx', because its property EspalierEnabled is false")
            .Says("/docs/diagnostics/ESP0002.md");
    }

    [Fact]
    public void Every_error_of_the_targets_is_said_once()
    {
        var app = new Workspace(feed.Value, "Refused").Model().Write("Policy.cs", """
            using Espalier;

            [PruningPolicy("models/tiny.onnx")]
            [Divergence(Metric.RelativeError)]
            public static partial class Slim
            {
            #if DRIFTS
                [Prune(Axis.Channels, Keep = 0.125, RoundTo = 1), Score(Criterion.Random), Compensate(Compensation.None)]
                public static partial Rule Channels { get; }

                [Calibration]
                static IEnumerable<Inputs> Images() => Enumerable.Range(1, 16).Select(seed => new Inputs(new TensorData<float>(
                    Enumerable.Range(0, 192).Select(i => 1000 * (float)Math.Sin(i * seed)).ToArray(), [1, 3, 8, 8])));
            #else
                [Prune(Axis.Channels, Keep = 0.5, RoundTo = 1), Score(Criterion.File, ScoreFile = "none.json")]
                public static partial Rule Channels { get; }
            #endif
            }
            """)
            .Write("models/malformed.onnx", "no model").Write("../outside.onnx", "no model")
            .Project("""
                <OnnxModel Include="models/tiny.onnx" />
                <OnnxModel Include="models/none.onnx" Condition="'$(Case)' == 'ESPB001'" />
                <OnnxModel Include="../outside.onnx" CopyDense="true" Condition="'$(Case)' == 'ESPB002'" />
                <OnnxModel Include="../outside.onnx" Link="models/tiny.onnx" Condition="'$(Case)' == 'ESPB007'" />
                <OnnxModel Include="models/malformed.onnx" Condition="'$(Case)' == 'ESPB010'" />
                """, properties: "<OutputType>Library</OutputType>");
        app.Run("restore", "-nologo").Succeeds();
        Expect("ESPB001");
        Expect("ESPB002");
        Expect("ESPB003", "-p:EspalierToolPath=none.dll");
        // What is no tool ends otherwise.
        Expect("ESPB004", "-p:EspalierToolPath=" + typeof(PruningPlan).Assembly.Location)
            .Says("tiny.onnx : error ESPB004: The espalier tool ended with exit code");
        Expect("ESPB006", "-p:LangVersion=12");
        Expect("ESPB007");
        // What the tool says is said alone, and places are full paths as those of the compiler.
        Expect("ESPB010").Says(app["models/malformed.onnx"] + " : error ESPB010: ");
        Expect("ESPB011").Says(app["Policy.cs"] + "(3,2): error ESPB011: Slim: ");
        // The manifest is there, and what the tool said before is not said again.
        Expect("ESPB005", "-p:EspalierToolPath=" + typeof(PruningPlan).Assembly.Location);
        app.Build("--no-restore", "-p:TreatWarningsAsErrors=false", "-p:DefineConstants=DRIFTS").Succeeds()
            .Says(app["Policy.cs"] + "(3,2): warning ESPB012: Slim: the slim model agrees");
        // Said again where the program is built again and the model is not made again.
        app.Write("Other.cs", "namespace Added;");
        app.Build("--no-restore", "-p:TreatWarningsAsErrors=false", "-p:DefineConstants=DRIFTS").Succeeds().Says("warning ESPB012: Slim: ");

        string targets = File.ReadAllText(Path.Combine(Assets.Root, "generator", "Espalier.Build", "build", "Espalier.Build.targets"))
            + File.ReadAllText(Path.Combine(Assets.Root, "onnx-rewriter", "Espalier.Cli", "Building", "BuildMessage.cs"));
        Assert.Equal(BuildId().Matches(targets).Select(m => m.Value).Distinct().Order(StringComparer.Ordinal),
            ["ESPB001", "ESPB002", "ESPB003", "ESPB004", "ESPB005", "ESPB006", "ESPB007", "ESPB010", "ESPB011", "ESPB012"]);

        DotnetText Expect(string id, params string[] more)
        {
            var text = app.Build(["--no-restore", $"-p:Case={id}", .. more.Where(m => m[0] == '-')]).Fails();
            Assert.Equal([id, .. more.Where(m => m[0] != '-')],
                Error().Matches(BeforeSummary(text)).Select(m => m.Groups[1].Value));
            return text;
        }
    }

    /// <summary>Channels, neurons under a normalisation, and the outputs of a head.</summary>
    private static void Model(string path)
    {
        var g = new GraphBuilder(seed: 7);
        var x = g.Input("image", "batch", 3, 8, 8);
        x = g.Relu(g.Conv(x, "first", 3, 8));
        x = g.Relu(g.Conv(x, "second", 8, 8));
        x = g.Relu(g.Conv(x, "third", 8, 16));
        x = g.Relu(g.Linear(g.Flatten(g.GlobalPool(x)), "up", 16, 12));
        x = g.Linear(g.LayerNorm(x, "norm", 12), "head", 12, 10);
        g.Rename(x, "scores");
        g.Output("scores", "batch", 10);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using OnnxModel model = g.Build();
        model.Save(path);
    }

    private static string Source(string marked) => Mark().Replace(marked, "");

    /// <summary>Where the marks are, as the compiler writes places.</summary>
    private static List<string> Marks(string file, string marked)
    {
        var places = new List<string>();
        foreach (var (number, line) in marked.ReplaceLineEndings("\n").Split('\n').Index())
        {
            int removed = 0;
            foreach (Match mark in Mark().Matches(line))
            {
                places.Add($"{file}({number + 1},{mark.Index - removed + 1}): {mark.Groups[1].Value}");
                removed += mark.Length;
            }
        }
        return [.. places.Order(StringComparer.Ordinal)];
    }

    private static List<string> Found(DotnetText text)
        => [.. Diagnostic().Matches(BeforeSummary(text.Fails())).Select(m => $"{m.Groups[1].Value}: {m.Groups[2].Value}")
            .Order(StringComparer.Ordinal)];

    // The end of the output says everything once more.
    private static string BeforeSummary(DotnetText text) => text.Text.Split("Build FAILED.")[0];

    [GeneratedRegex(@"§(\w+)§", RegexOptions.CultureInvariant)]
    private static partial Regex Mark();

    [GeneratedRegex(@"\bESP\d{4}\b", RegexOptions.CultureInvariant)]
    private static partial Regex Id();

    [GeneratedRegex(@"\bESPB\d{3}\b", RegexOptions.CultureInvariant)]
    private static partial Regex BuildId();

    [GeneratedRegex(@"(\w+\.cs\(\d+,\d+\)): (?:error|warning) (\w+): ", RegexOptions.CultureInvariant)]
    private static partial Regex Diagnostic();

    [GeneratedRegex(@"\berror (\w+): ", RegexOptions.CultureInvariant)]
    private static partial Regex Error();
}
