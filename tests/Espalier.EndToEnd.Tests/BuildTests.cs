using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests;

/// <summary>One project that is built again and again, as in a day's work: each step says what must and what must not be done.</summary>
[Collection(PackedCollection.Name)]
public sealed class BuildTests(PackedFeed feed)
{
    private const string Program = """
        using App;
        using Espalier;

        using var slim = SlimTiny.Open();
        var image = new float[3 * 8 * 8];
        for (var i = 0; i < image.Length; i++) image[i] = i % 7 / 7f;
        var scores = slim.Run(new(new TensorData<float>(image, [1, 3, 8, 8]))).Scores;
        Console.WriteLine($"scores {scores.Values.Length}");
        Console.WriteLine($"kept {SlimTiny.Plan.Report.Groups.First(g => g.Size == 12).Kept}");
        Console.WriteLine(SlimTiny.Plan.Diff);
        Console.WriteLine($"rank {SlimTiny.Plan.Report.Factored.Single().Rank}");
        """;

    private const string Policy = """
        using Espalier;

        namespace App;

        [PruningPolicy("models/tiny.onnx")]
        [Guard(Equivalence = true)]
        [LowRank("classifier*", Rank = 2)]
        public static partial class SlimTiny
        {
            [Prune(Axis.Channels, "*", Keep = 0.5, RoundTo = 1)]
            public static partial Rule Channels { get; }
        }
        """;

    private const string Lost = """
        foreach (var group in App.SlimTiny.Plan.Report.Groups)
            if (group.Kept < group.Size) Console.WriteLine($"{group.Name} lost {string.Join(' ', group.RemovedUnits)}");
        """;

    private const string Library = """
        using Espalier;

        namespace Library;

        [PruningPolicy("models/tiny.onnx")]
        public static partial class SlimTiny
        {
            [Prune(Axis.Channels, "*", Keep = 0.5, RoundTo = 1)]
            [Score(Criterion.Variance), Compensate(Compensation.LeastSquares)]
            public static partial Rule Channels { get; }

            [Calibration(Samples = 6)]
            static IEnumerable<Inputs> Images()
            {
                if (!File.Exists("models/tiny.onnx")) throw new InvalidOperationException("not in the project's folder");
                var random = new Random(Seeds.First);
                for (var i = 0; i < 6; i++)
                {
                    var image = new float[3 * 8 * 8];
                    for (var j = 0; j < image.Length; j++) image[j] = (float)random.NextDouble();
                    yield return new(new TensorData<float>(image, [1, 3, 8, 8]));
                }
            }
        }
        """;

    [Fact]
    public void A_project_with_one_package_slims_runs_publishes_rebuilds_what_changed_and_cleans()
    {
        var app = new Workspace(feed, "App").Model(channels: 12).Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("Program.cs", Program).Write("Policy.cs", Policy);

        app.Run("publish", "-c", "Release", "-nologo", "-o", "out put").Succeeds();
        app.Run(Path.Combine("out put", "App.dll")).Succeeds().Says("scores 10").Says("kept 6").Says("first").Says("rank 2");
        Assert.True(File.Exists(app["out put/espalier/App.SlimTiny.onnx"]));
        Assert.False(File.Exists(app["out put/models/tiny.onnx"]), "the dense model is published only with CopyDense");
        Assert.True(File.Exists(app.Output("espalier/App.SlimTiny.report.json")));
        Assert.True(File.Exists(app.Made("App.SlimTiny.diff.txt")));
        Assert.True(new FileInfo(app.Output("espalier/App.SlimTiny.onnx")).Length < new FileInfo(app["models/tiny.onnx"]).Length);
        Assert.DoesNotContain(app.Folder, File.ReadAllText(app.Output("espalier/App.SlimTiny.report.json")), StringComparison.Ordinal);

        // Nothing changed: neither manifest nor slimming runs; each would leave a new time.
        var manifest = app.Made("manifests/models/tiny.onnx.espalier-manifest");
        var (manifestTime, stampTime, modelTime, assemblyTime) = (Time(manifest), Time(app.Made("build.stamp")),
            Time(app.Made("App.SlimTiny.onnx")), Time(app.Output("App.dll")));
        app.Build("--no-restore").Succeeds();
        Assert.Equal(manifestTime, Time(manifest));
        Assert.Equal(stampTime, Time(app.Made("build.stamp")));
        Assert.Equal(assemblyTime, Time(app.Output("App.dll")));

        // A build that was killed while it copied: half a file, newer than the whole one. What it left in obj goes with the next
        // one that has work.
        var (copy, whole) = (app.Output("espalier/App.SlimTiny.onnx"), File.ReadAllBytes(app.Made("App.SlimTiny.onnx")));
        File.WriteAllBytes(copy, whole[..(whole.Length / 2)]);
        string left = app.Made(".App.SlimTiny.onnx.abcdefgh.ijk.tmp");
        File.WriteAllBytes(left, whole[..(whole.Length / 2)]);
        app.Build("--no-restore").Succeeds();
        Assert.Equal(whole, File.ReadAllBytes(copy));

        // Other code, and the policy two lines further down: the assembly is new, the plan is not.
        app.Write("Program.cs", Program + "\nConsole.WriteLine(\"edited\");\n").Write("Policy.cs", "// A comment.\n\n" + Policy);
        app.Build("--no-restore").Succeeds();
        Assert.NotEqual(assemblyTime, Time(app.Output("App.dll")));
        Assert.NotEqual(stampTime, Time(app.Made("build.stamp")));
        Assert.False(File.Exists(left), "what a killed build left");
        Assert.Equal(modelTime, Time(app.Made("App.SlimTiny.onnx")));

        // Another ratio.
        app.Write("Policy.cs", Policy.Replace("Keep = 0.5", "Keep = 0.25", StringComparison.Ordinal));
        app.Build("--no-restore").Succeeds();
        app.Run(app.Output("App.dll")).Succeeds().Says("kept 3").Says("edited");

        // Another name: the old model goes, from the output too.
        app.Write("Policy.cs", Policy.Replace("SlimTiny", "Thin", StringComparison.Ordinal))
            .Write("Program.cs", Program.Replace("SlimTiny", "Thin", StringComparison.Ordinal));
        app.Build("--no-restore").Succeeds();
        Assert.True(File.Exists(app.Output("espalier/App.Thin.onnx")));
        Assert.False(File.Exists(app.Made("App.SlimTiny.onnx")));
        Assert.False(File.Exists(app.Output("espalier/App.SlimTiny.onnx")));

        app.Run("publish", "-c", "Release", "-nologo", "--no-build", "-o", "again").Succeeds();
        Assert.True(File.Exists(app["again/espalier/App.Thin.onnx"]));

        Cleans(app);
    }

    private static void Cleans(Workspace app)
    {
        app.Run("clean", "-c", "Release", "-nologo").Succeeds();
        Assert.False(Directory.Exists(app.Made("")), "clean leaves nothing in obj");
        Assert.False(Directory.Exists(app.Output("espalier")), "clean leaves nothing in bin");
    }

    /// <summary>Relative to the project, wherever the build runs; a change of the file alone slims again.</summary>
    [Fact]
    public void Scores_of_a_policy_come_from_a_file_of_the_project()
    {
        static string Scores(int low)
            => $$"""{"first": [{{string.Join(", ", Enumerable.Range(0, 8).Select(u => u / 4 == low ? 0 : 1))}}]}""";
        var app = new Workspace(feed, "Scored").Model()
            .Project("""<OnnxModel Include="models/*.onnx" /><EspalierInput Include="data/*.json" />""")
            .Write("data/scores.json", Scores(0))
            .Write("Program.cs", Lost)
            .Write("Policy.cs", """
                using Espalier;

                namespace App;

                [PruningPolicy("models/tiny.onnx")]
                public static partial class SlimTiny
                {
                    [Prune(Axis.Channels, "first*", Keep = 0.5, RoundTo = 1)]
                    [Score(Criterion.File, ScoreFile = "data/scores.json")]
                    public static partial Rule Channels { get; }
                }
                """);
        app.Build().Succeeds();
        app.Run(app.Output("Scored.dll")).Succeeds().Says("first lost 0 1 2 3");
        // The plan as it was carried out, but with the path as the policy states it.
        var plan = ReportJson.Parse(File.ReadAllText(app.Output("espalier/App.SlimTiny.report.json"))).Plan;
        Assert.Equal(("data/scores.json", Criterion.File, Compensation.None),
            (plan.Prune[0].ScoreFile, plan.Prune[0].Score, plan.Prune[0].Compensate));

        app.Write("data/scores.json", Scores(1)).Build("--no-restore").Succeeds();
        app.Run(app.Output("Scored.dll")).Succeeds().Says("first lost 4 5 6 7");

        app.Write("data/scores.json", "{}").Build("--no-restore").Fails().Says("error ESPB011: ").Says("has no scores for group 'first'");
    }

    [Fact]
    public void Scores_of_a_policy_come_from_its_own_method()
    {
        static string Policy(string body) => $$"""
            using System.Collections.Generic;
            using System.Linq;
            using Espalier;

            namespace App;

            [PruningPolicy("models/tiny.onnx")]
            public static partial class SlimTiny
            {
                [Prune(Axis.Channels, "first*", Keep = 0.5, RoundTo = 1)]
                [Score(Criterion.Method, Method = nameof(Rank))]
                public static partial Rule Channels { get; }

                static IEnumerable<double> Rank(ScoredGroup group) => {{body}};
            }
            """;
        var app = new Workspace(feed, "Ranked").Model().Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("Program.cs", Lost)
            .Write("Policy.cs",
                Policy("Enumerable.Range(0, group.Units).Select(u => group.Weights.Any(w => w.UnitOf.Contains(u)) ? (double)u : 0)"));
        app.Build().Succeeds();
        app.Run(app.Output("Ranked.dll")).Succeeds().Says("first lost 0 1 2 3");
        var rule = ReportJson.Parse(File.ReadAllText(app.Output("espalier/App.SlimTiny.report.json"))).Plan.Prune[0];
        Assert.Equal(("Rank", Criterion.Method, null), (rule.ScoreMethod, rule.Score, rule.ScoreFile));

        app.Write("Policy.cs", Policy("[1.0]")).Build("--no-restore").Fails().Says("gave 1 scores for group 'first', which has 8 units");
        app.Write("Policy.cs", Policy("throw new System.InvalidOperationException(\"no rank\")")).Build("--no-restore").Fails()
            .Says("Scoring method App.SlimTiny.Rank threw InvalidOperationException: no rank");
    }

    [Fact]
    public void A_design_time_build_writes_the_manifest_and_slims_nothing()
    {
        var app = new Workspace(feed, "Design").Model().Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("Program.cs", "System.Console.WriteLine();").Write("Policy.cs", Policy);
        app.Run("restore", "-nologo").Succeeds();
        app.Run("msbuild", "-nologo", "-t:Compile;CoreCompile", "-p:Configuration=Release", "-p:DesignTimeBuild=true",
            "-p:BuildingInsideVisualStudio=true",
            "-p:SkipCompilerExecution=true", "-p:ProvideCommandLineArgs=true", "-getItem:AdditionalFiles").Succeeds()
                .Says("tiny.onnx.espalier-manifest").Says("\"EspalierModel\": \"models/tiny.onnx\"");
        Assert.True(File.Exists(app.Made("manifests/models/tiny.onnx.espalier-manifest")));
        Assert.Empty(Directory.GetFiles(app.Made(""), "*.onnx"));
    }

    [Fact]
    public void Errors_name_the_line_of_the_policy_and_the_file_of_the_model()
    {
        var app = new Workspace(feed, "Errors").Model().Project("""<OnnxModel Include="models/*.onnx" />""")
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
        var app = new Workspace(feed, "Guarded").Model(channels: 12).Project("""<OnnxModel Include="models/*.onnx" />""")
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

    [Fact]
    public void A_calibration_method_runs_and_models_reach_every_framework_and_referencing_projects()
    {
        var library = new Workspace(feed, "Library").Model()
            .Project("""<OnnxModel Include="models/*.onnx" CopyDense="true" Dimensions="batch=1" />""",
                properties: "<OutputType>Library</OutputType>")
            .Write("Policy.cs", Library);
        library.Write("Seeds.cs", "namespace Library; static class Seeds { public static int First => int.Parse(\"3\"); }")
            .Write("Other.cs", "namespace Library; public static class Other { }");
        var app = new Workspace(feed, "Referencing")
            .Project($"""<ProjectReference Include="../{library.Name}/{library.Name}.csproj" />""")
            .Write("Program.cs", """
            using Library;

            Console.WriteLine($"slim {File.Exists(Espalier.PolicyFiles.FullPath(Espalier.PolicyFiles.Model(SlimTiny.Plan.Policy)))}");
            using var dense = SlimTiny.OpenDense();
            Console.WriteLine($"notes {string.Join(' ', SlimTiny.Plan.Report.Notes)}");
            """);
        app.Build().Succeeds();
        app.Run(app.Output("Referencing.dll")).Succeeds().Says("slim True");
        Assert.True(File.Exists(app.Output("models/tiny.onnx")), "CopyDense");
        app.Run("publish", "-c", "Release", "-nologo", "--no-build", "-o", "published").Succeeds();
        Assert.True(File.Exists(app["published/espalier/Library.SlimTiny.onnx"]), "publish of a project that references the policy's");
        Assert.True(File.Exists(library.Output("espalier/Library.SlimTiny.onnx")));

        // Code that calibration does not reach; then code that it does.
        var slimmed = Time(library.Made("Library.SlimTiny.onnx"));
        library.Write("Other.cs",
            "namespace Library; public static class Added { public static int More(string text) => text.Length; } public static class "
                + "Other { public static int[] Numbers => [1, 2, 3, 4]; }");
        library.Build("--no-restore").Succeeds();
        Assert.Equal(slimmed, Time(library.Made("Library.SlimTiny.onnx")));
        library.Write("Seeds.cs", "namespace Library; static class Seeds { public static int First => int.Parse(\"4\"); }");
        library.Build("--no-restore").Succeeds();
        Assert.NotEqual(slimmed, Time(library.Made("Library.SlimTiny.onnx")));
    }

    private static DateTime Time(string file)
    {
        Assert.True(File.Exists(file), $"there is no '{file}'");
        return File.GetLastWriteTimeUtc(file);
    }
}
