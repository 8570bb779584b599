namespace Espalier.EndToEnd.Tests.Build;

/// <summary>One project that is built again and again, as in a day's work: each step says what must and what must not be done.</summary>
public sealed class BuildTests(SharedFeed feed)
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

    [Fact]
    public void A_project_with_one_package_slims_runs_publishes_rebuilds_what_changed_and_cleans()
    {
        var app = new Workspace(feed.Value, "App").Model(channels: 12).Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("Program.cs", Program).Write("Policy.cs", Policy);

        app.Run("publish", "-c", "Release", "-nologo", "-o", "out put").Succeeds();
        app.Run(Path.Combine("out put", "App.dll")).Succeeds().Says("scores 10").Says("kept 6").Says("first").Says("rank 2");
        Assert.True(File.Exists(app["out put/espalier/App.SlimTiny.onnx"]));
        Assert.False(File.Exists(app["out put/models/tiny.onnx"]), "the dense model is published only with CopyDense");
        Assert.True(File.Exists(app.Output("espalier/App.SlimTiny.report.json")));
        Assert.True(File.Exists(app.Made("App.SlimTiny.diff.txt")));
        Assert.Contains("<h1>App.SlimTiny</h1>", File.ReadAllText(app.Made("App.SlimTiny.report.html")), StringComparison.Ordinal);
        Assert.False(File.Exists(app.Output("espalier/App.SlimTiny.report.html")), "the page is for who builds, not for who runs");
        Assert.True(new FileInfo(app.Output("espalier/App.SlimTiny.onnx")).Length < new FileInfo(app["models/tiny.onnx"]).Length);
        Assert.DoesNotContain(app.Folder, File.ReadAllText(app.Output("espalier/App.SlimTiny.report.json")), StringComparison.Ordinal);

        // Nothing changed: neither manifest nor slimming runs; each would leave a new time.
        var manifest = app.Made("manifests/models/tiny.onnx.espalier-manifest");
        var (manifestTime, stampTime, modelTime, assemblyTime) = (Workspace.Time(manifest), Workspace.Time(app.Made("build.stamp")),
            Workspace.Time(app.Made("App.SlimTiny.onnx")), Workspace.Time(app.Output("App.dll")));
        app.Build("--no-restore").Succeeds();
        Assert.Equal(manifestTime, Workspace.Time(manifest));
        Assert.Equal(stampTime, Workspace.Time(app.Made("build.stamp")));
        Assert.Equal(assemblyTime, Workspace.Time(app.Output("App.dll")));

        byte[] whole = File.ReadAllBytes(app.Made("App.SlimTiny.onnx"));
        string left = Interrupt(app, whole);
        app.Build("--no-restore").Succeeds();
        Assert.Equal(whole, File.ReadAllBytes(app.Output("espalier/App.SlimTiny.onnx")));

        // Other code, and the policy two lines further down: the assembly is new, the plan is not.
        app.Write("Program.cs", Program + "\nConsole.WriteLine(\"edited\");\n").Write("Policy.cs", "// A comment.\n\n" + Policy);
        var edited = app.Build("--no-restore").Succeeds();
        Assert.DoesNotContain("App.SlimTiny: ", edited.Text, StringComparison.Ordinal);
        Assert.NotEqual(assemblyTime, Workspace.Time(app.Output("App.dll")));
        Assert.NotEqual(stampTime, Workspace.Time(app.Made("build.stamp")));
        Assert.False(File.Exists(left), "what a killed build left");
        Assert.Equal(modelTime, Workspace.Time(app.Made("App.SlimTiny.onnx")));

        // Another ratio.
        app.Write("Policy.cs", Policy.Replace("Keep = 0.5", "Keep = 0.25", StringComparison.Ordinal));
        const string said = "App.SlimTiny: ", measured = " on 16 random inputs), ";
        app.Build("--no-restore").Succeeds().Says("Espalier -> " + said).Says(" MACs, agreement ").Says(measured);
        app.Run(app.Output("App.dll")).Succeeds().Says("kept 3").Says("edited");

        // The terminal logger shows no messages of targets.
        app.Write("Policy.cs", Policy.Replace("Keep = 0.5", "Keep = 0.75", StringComparison.Ordinal));
        app.Build("--no-restore", "-tl:on").Succeeds().Says(" → " + said).Says(" MACs, agreement ").Says(measured);

        // Another name: the old model goes, from the output too. Quiet is quiet.
        app.Write("Policy.cs", Policy.Replace("SlimTiny", "Thin", StringComparison.Ordinal))
            .Write("Program.cs", Program.Replace("SlimTiny", "Thin", StringComparison.Ordinal));
        Assert.DoesNotContain("App.Thin", app.Build("--no-restore", "-v:q").Succeeds().Text, StringComparison.Ordinal);
        Assert.True(File.Exists(app.Output("espalier/App.Thin.onnx")));
        Assert.False(File.Exists(app.Made("App.SlimTiny.onnx")));
        Assert.False(File.Exists(app.Output("espalier/App.SlimTiny.onnx")));

        app.Run("publish", "-c", "Release", "-nologo", "--no-build", "-o", "again").Succeeds();
        Assert.True(File.Exists(app["again/espalier/App.Thin.onnx"]));

        app.Run("clean", "-c", "Release", "-nologo").Succeeds();
        Assert.False(Directory.Exists(app.Made("")), "clean leaves nothing in obj");
        Assert.False(Directory.Exists(app.Output("espalier")), "clean leaves nothing in bin");
    }

    [Fact]
    public void A_design_time_build_writes_the_manifest_and_slims_nothing()
    {
        var app = new Workspace(feed.Value, "Design").Model().Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("Program.cs", "System.Console.WriteLine();").Write("Policy.cs", Policy);
        app.Run("restore", "-nologo").Succeeds();
        var items = app.Run("msbuild", "-nologo", "-t:Compile;CoreCompile", "-p:Configuration=Release", "-p:DesignTimeBuild=true",
            "-p:BuildingInsideVisualStudio=true",
            "-p:SkipCompilerExecution=true", "-p:ProvideCommandLineArgs=true", "-getItem:AdditionalFiles").Succeeds()
                .Says("tiny.onnx.espalier-manifest").Says("\"EspalierModel\": \"models/tiny.onnx\"");
        // The analyzer reports here, which is silent beside this file.
        Assert.DoesNotContain("espalier-report", items.Text, StringComparison.Ordinal);
        Assert.True(File.Exists(app.Made("manifests/models/tiny.onnx.espalier-manifest")));
        Assert.Empty(Directory.GetFiles(app.Made(""), "*.onnx"));
    }

    /// <summary>
    /// A build that was killed while it copied: half a file, newer than the whole one. What it left in obj goes with the next one
    /// that has work.
    /// </summary>
    /// <returns>What it left in obj.</returns>
    private static string Interrupt(Workspace app, byte[] whole)
    {
        string left = app.Made(".App.SlimTiny.onnx.abcdefgh.ijk.tmp");
        foreach (string file in new[] { app.Output("espalier/App.SlimTiny.onnx"), left })
            File.WriteAllBytes(file, whole[..(whole.Length / 2)]);
        return left;
    }
}
