using System.Security.Cryptography;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>Builds that fail say where and why.</summary>
public sealed class RefusedBuildTests(SharedFeed feed)
{
    [Fact]
    public void Errors_name_the_line_of_the_policy_and_the_file_of_the_model()
    {
        var app = new Workspace(feed.Value, "Errors").Model().Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("Program.cs", "System.Console.WriteLine();").Write("Policy.cs", """
            using Espalier;

            namespace App;

            [PruningPolicy("models/tiny.onnx")]
            [Guard(Agreement = 1.0)]
            public static partial class SlimTiny
            {
                [Prune(Axis.Channels, "*", Keep = 0.5, RoundTo = 1)]
                [Score(Criterion.Variance)]
                public static partial Rule Channels { get; }

                [Calibration(Samples = 4)]
                static System.Collections.Generic.IEnumerable<Inputs> Images()
                    => throw new System.InvalidOperationException("no images here");
            }
            """);
        app.Build().Fails().Says("Policy.cs(5,2): error ESPB011: ").Says("no images here");
        Assert.Empty(Directory.GetFiles(app.Made(""), "*.onnx"));

        File.WriteAllBytes(app["models/tiny.onnx"], File.ReadAllBytes(app["models/tiny.onnx"])[..200]);
        app.Build("--no-restore").Fails().Says("tiny.onnx : error ESPB010: ");
    }

    [Fact]
    public void Another_model_under_the_name_of_one_is_an_error()
    {
        const string policy = """
            using Espalier;

            [PruningPolicy("models/tiny.onnx", Sha256 = "SHA")]
            public static partial class SlimTiny
            {
                [Prune(Axis.Channels, Keep = 0.5, RoundTo = 1)]
                public static partial Rule Channels { get; }
            }
            """;
        var app = new Workspace(feed.Value, "Pinned").Model().Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("Program.cs", "System.Console.WriteLine();");
        string hash = Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(app["models/tiny.onnx"])));
        app.Write("Policy.cs", policy.Replace("SHA", hash[..12], StringComparison.Ordinal));
        app.Build().Succeeds();
        app.Model(channels: 12).Build("--no-restore").Fails()
            .Says("Policy.cs(3,2): error ESPB011: ").Says("is not the model that the policy was written for").Says(hash[..12]);

        app.Project("""<OnnxModel Include="models/*.onnx" /><OnnxModel Include="other.onnx" Link="models/tiny.onnx" />""");
        File.Copy(app["models/tiny.onnx"], app["other.onnx"]);
        app.Build("--no-restore").Fails().Says("error ESPB007: ").Says("other.onnx");
    }

    [Theory]
    [InlineData("net6.0", "error NU1202: Package Espalier ", "net8.0")]
    [InlineData("net472", "error NU1202: Package Espalier ", "net8.0")]
    [InlineData("net8.0", "error ESPB006: ", "<LangVersion>13</LangVersion>")]
    public void A_framework_that_cannot_work_gets_one_error_that_says_what_to_do(string framework, string error, string advice)
    {
        var app = new Workspace(feed.Value, "Old " + framework).Model().Project("""<OnnxModel Include="models/*.onnx" />""",
            $"<TargetFramework>{framework}</TargetFramework>",
            "<OutputType>Library</OutputType><CheckEolTargetFramework>false</CheckEolTargetFramework>")
            .Write("Policy.cs", """
            using Espalier;

            [PruningPolicy("models/tiny.onnx")]
            public static partial class SlimTiny
            {
                [Prune(Axis.Channels, Keep = 0.5, RoundTo = 1)]
                public static partial Rule Channels { get; }
            }
            """);
        var text = app.Build("-v", "q").Fails().Says(error).Says(advice);
        // A restore repeats itself for the platform.
        Assert.All(text.Text.Split('\n').Where(l => l.Contains(": error ", StringComparison.Ordinal)),
            line => Assert.Contains(error, line, StringComparison.Ordinal));
    }

    /// <summary>A model that drifts further than the policy allows fails the build with the figures.</summary>
    [Fact]
    public void A_guard_fails_the_build_with_the_figures()
    {
        const string policy = """
            using Espalier;

            namespace App;

            [PruningPolicy("models/tiny.onnx"), Preset(Preset.Magnitude)]
            [Guard(Agreement = 0.999, Metric = Metric.RelativeError)]
            public static partial class SlimTiny
            {
                [Prune(Axis.Channels, "*", Keep = 0.25, RoundTo = 1), Score(Criterion.Wanda)]
                public static partial Rule Channels { get; }

                [Calibration]
                static System.Collections.Generic.IEnumerable<Inputs> Images()
                {
                    var random = new System.Random(5);
                    for (var n = 0; n < 12; n++)
                    {
                        var image = new float[3 * 8 * 8];
                        for (var i = 0; i < image.Length; i++) image[i] = (float)random.NextDouble() - 0.5f;
                        yield return new(new TensorData<float>(image, [1, 3, 8, 8]));
                    }
                }
            }
            """;
        var app = new Workspace(feed.Value, "Guarded").Model(channels: 12).Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("Program.cs", "System.Console.WriteLine();").Write("Policy.cs", policy);
        app.Build().Fails().Says("Policy.cs(5,2): error ESPB011: ")
            .Says("Guard(Agreement = 0.999): the slim model agrees with the dense one to ")
            .Says("by RelativeError on 3 held-out samples, Top1 ");
        Assert.Empty(Directory.GetFiles(app.Made(""), "*.onnx"));
        app.Write("Policy.cs",
            policy.Replace("Agreement = 0.999, Metric = Metric.RelativeError", "Agreement = 0.01, Metric = Metric.JensenShannon",
                StringComparison.Ordinal));
        app.Build("--no-restore").Succeeds();
        Assert.Contains("by JensenShannon on 3 held-out samples", File.ReadAllText(app.Made("App.SlimTiny.report.json")),
            StringComparison.Ordinal);

        // By labels of a file of the project, which the report names as the policy does.
        app.Write("Policy.cs",
            policy.Replace("Agreement = 0.999, Metric = Metric.RelativeError", "Agreement = 0.01, Metric = Metric.TaskLoss",
                StringComparison.Ordinal).Replace("[Calibration]", "[Calibration(Labels = \"data/labels.txt\")]",
                StringComparison.Ordinal));
        app.Build("--no-restore").Fails().Says("error ESPB011: ").Says("There are no labels at ");
        app.Write("data/labels.txt", string.Concat(Enumerable.Range(0, 12).Select(i => i % 2 == 0 ? "0\n" : "1\n")))
            .Build("--no-restore").Succeeds();
        string report = File.ReadAllText(app.Made("App.SlimTiny.report.json"));
        Assert.Contains("by TaskLoss on 3 held-out samples", report, StringComparison.Ordinal);
        Assert.Equal("data/labels.txt", ReportJson.Parse(report).Plan.Calibration!.Labels);
    }
}
