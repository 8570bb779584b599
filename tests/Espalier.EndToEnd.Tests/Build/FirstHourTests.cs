using System.Buffers.Binary;
using System.Text.RegularExpressions;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>The ways in that need no project file of one's own.</summary>
public sealed partial class FirstHourTests(SharedFeed feed)
{
    /// <summary>As it is made, on a network of convolutions and on a transformer, and with the samples that its comments offer.</summary>
    [Fact]
    public void A_project_from_the_template_slims_and_runs()
    {
        var place = new Workspace(feed.Value, "From template").Model("given/tiny.onnx", channels: 48);
        string hive = place["hive"], package = feed.Value.Packages.Single(p => p.Contains("Espalier.Templates.", StringComparison.Ordinal));
        place.Run("new", "install", package, "--debug:custom-hive", hive).Succeeds();
        var app = New("my-app", "--model", "../given/tiny.onnx");
        app.Run("run", "-c", "Release").Succeeds().Says("MACs  ").Says("second").Says("warning ESP0017");
        Directory.CreateDirectory(app["photos"]);
        for (int i = 0; i < 12; i++) File.WriteAllBytes(app[$"photos/{i}.bmp"], Bitmap(shade: (byte)(20 * i)));
        WithSamples(app);
        Quiet(app.Run("run", "-c", "Release").Succeeds().Says("3 held-out samples"));

        var text = New("my-text", "--model", Assets.Path("bert.onnx"), "--kind", "text");
        text.Run("run", "-c", "Release").Succeeds().Says("MACs  ").Says("encoder.0.attn.heads").Says("warning ESP0017");
        File.Copy(Assets.Path("bert-vocab.txt"), text["vocab.txt"]);
        File.WriteAllLines(text["samples.txt"], File.ReadLines(Assets.Path("bert-test.tsv")).Take(12).Select(l => l.Split('\t')[^1]));
        WithSamples(text);
        // This one gives classes and not vectors of tokens.
        text.Write("Policy.cs", File.ReadAllText(text["Policy.cs"]).Replace("\"vocab.txt\"", "\"vocab.txt\", Pooling = Pooling.None",
            StringComparison.Ordinal));
        Quiet(text.Run("run", "-c", "Release").Succeeds().Says("3 held-out samples"));

        New("of-nothing").Build().Fails().Says("error ESPB001: There is no model 'models/model.onnx': no file '");
        New("of-texts", "--model", Assets.Path("bert.onnx")).Build().Fails()
            .Says("error ESP0003: Rule 'Channels' is on channels, and the model has none; it has groups for Axis.Neurons, Axis.Heads");

        Workspace New(string name, params string[] options)
        {
            place.Run(["new", "espalier", "-n", name, .. options, "--debug:custom-hive", hive]).Succeeds();
            return new Workspace(feed.Value, Path.Combine("From template", name));
        }
    }

    /// <summary>Takes the comment marks off what the samples need.</summary>
    private static void WithSamples(Workspace app)
    {
        string policy = Offered().Replace(File.ReadAllText(app["Policy.cs"]), "$1$2");
        Assert.Contains("\n    [Calibration(Samples = 256)]\n    static ", policy, StringComparison.Ordinal);
        string file = app[app.Name.Split('/', '\\')[^1] + ".csproj"], project = File.ReadAllText(file);
        app.Write("Policy.cs", policy).Write(file, OfProject().Replace(project, "$1"));
        Assert.NotEqual(project, File.ReadAllText(file));
    }

    private static void Quiet(DotnetText text) => Assert.DoesNotContain("warning ESP", text.Text, StringComparison.Ordinal);

    /// <summary>A picture of 8 by 8 pixels, 24 bits each.</summary>
    private static byte[] Bitmap(byte shade)
    {
        byte[] file = new byte[54 + (8 * 8 * 3)];
        "BM"u8.CopyTo(file);
        foreach (var (at, value) in new[] { (2, file.Length), (10, 54), (14, 40), (18, 8), (22, 8), (26, 1 | (24 << 16)) })
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        for (int i = 54; i < file.Length; i++) file[i] = (byte)(shade + (i * 7));
        return file;
    }

    // All but the guard: how far twelve samples lead a model astray is not what is looked at.
    [GeneratedRegex(@"^( *)// (\[(?!Guard)|static )", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex Offered();

    [GeneratedRegex(@"<!-- For the samples of Policy\.cs\.(.*?)-->", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex OfProject();

    [Fact]
    public void A_file_without_a_project_slims_runs_and_slims_again_when_its_policy_changes()
    {
        string program = $$"""
            #:package Espalier@{{PackedFeed.Version}}
            #:property EspalierModels=models/*.onnx

            using Espalier;

            using var model = SlimTiny.Open();
            var scores = model.Run(new(new TensorData<float>(new float[3 * 8 * 8], [1, 3, 8, 8]))).Scores;
            Console.WriteLine($"scores {scores.Values.Length}");
            Console.WriteLine(SlimTiny.Plan.Summary);

            [PruningPolicy("models/tiny.onnx")]
            static partial class SlimTiny
            {
                [Prune(Axis.Channels, Keep = 0.5, RoundTo = 1)]
                public static partial Rule Channels { get; }
            }
            """;
        var app = new Workspace(feed.Value, "File").Model(channels: 12).Write("app.cs", program);
        app.Run("run", "app.cs").Succeeds().Says("scores 10").Says("12 → 6");
        app.Write("app.cs", program.Replace("0.5", "0.25", StringComparison.Ordinal));
        app.Run("run", "app.cs").Succeeds().Says("12 → 3");
        app.Run("clean", "app.cs").Succeeds();
    }
}
