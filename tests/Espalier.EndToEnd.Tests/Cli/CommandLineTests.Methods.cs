using System.Text.Json;

namespace Espalier.EndToEnd.Tests.Cli;

// The options that choose a method: each has its word, and stands in the report.
public sealed partial class CommandLineTests
{
    [Theory]
    [InlineData("uniform", "uniform", "--macs", "0.7")]
    [InlineData("global", "global", "--macs", "0.7")]
    [InlineData("standardized", "standardized", "--macs", "0.7")]
    [InlineData("normalized", "normalized", "--macs", "0.7")]
    [InlineData("layer-error", "layerError", "--macs", "0.7")]
    [InlineData("divergence", "divergence", "--macs", "0.7")]
    [InlineData("importance-linear", "importanceLinear", "--macs", "0.7")]
    [InlineData("importance-sigmoid", "importanceSigmoid", "--macs", "0.7")]
    [InlineData("importance-softmax", "importanceSoftmax", "--macs", "0.7")]
    [InlineData("pq-index", "pqIndex")]
    [InlineData("global-magnitude", "globalMagnitude", "--macs", "0.7")]
    [InlineData("zeroth-order", "zerothOrder", "--macs", "0.7")]
    [InlineData("search", "search", "--macs", "0.7")]
    public void Every_allocation_has_its_word(string word, string name, params string[] budget)
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "n", 64);
        x = g.Add(x, g.Linear(g.Relu(g.Linear(x, "a", 64, 512)), "b", 512, 64));
        g.Output(g.Linear(g.Relu(g.Linear(x, "c", 64, 512)), "d", 512, 5));
        var model = At("wide.onnx");
        g.Build().Save(model);
        var slim = Run(["slim", model, "-o", Out, "--allocate", word, .. budget, "--score", "l1", "--compensate", "none", "--report",
            At("wide.json")]);
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("wide.json")));
        Assert.Equal(name, report.RootElement.GetProperty("plan").GetProperty("allocate").GetString());
        Assert.Contains(report.RootElement.GetProperty("groups").EnumerateArray(), group => group.GetProperty("kept")
            .GetInt32() < group.GetProperty("size").GetInt32());
    }

    [Theory]
    [InlineData(null, null, "magnitude", "l2", "oneShot")]
    [InlineData(null, "DATA", "best", "optimalBrain", "sequential")]
    [InlineData("flap", null, "flap", "weightedFluctuation", "oneShot")]
    [InlineData("zip-lm", "DATA", "zipLm", "optimalBrain", "oneShot")]
    [InlineData("adapt-pruner", "DATA", "adaptPruner", "wanda", "gradual")]
    public void A_preset_says_what_the_options_leave_open(string? preset, string? data, string name, string score, string schedule)
    {
        var g = new GraphBuilder();
        var x = g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "a", 8, 64)), "b", 64, 8);
        g.Output(g.Linear(g.Relu(g.Linear(x, "c", 8, 64)), "d", 64, 5));
        g.Build().Save(At("small.onnx"));
        File.WriteAllBytes(At("x.npy"), Npy(new Random(1), 32, 8));
        string[] options = [.. preset is null
            ? []
            : new[] { "--preset", preset }, .. data is null ? [] : new[] { "--calibrate", At("x.npy") }];
        var slim = Run(["slim", At("small.onnx"), "-o", Out, "--macs", "0.6", "--report", At("small.json"), .. options]);
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("small.json")));
        var plan = report.RootElement.GetProperty("plan");
        Assert.Equal((name, schedule), (plan.GetProperty("preset").GetString(), plan.GetProperty("schedule").GetString()));
        Assert.Equal(score, plan.GetProperty("prune")[0].GetProperty("score").GetString());
        Assert.Contains(name is "magnitude" ? "magnitude" : preset ?? name, Run("presets").Text, StringComparison.Ordinal);
        Assert.Equal(0, Run("verify", At("small.onnx"), Out, "--report", At("small.json")).Code);
    }

    [Theory]
    [InlineData("one-shot", "oneShot")]
    [InlineData("sequential", "sequential")]
    [InlineData("iterative", "iterative")]
    [InlineData("cubic", "cubic")]
    [InlineData("greedy", "greedy")]
    public void Every_schedule_has_its_word(string word, string name)
    {
        var g = new GraphBuilder();
        g.Output(g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "a", 8, 64)), "b", 64, 5));
        g.Build().Save(At("small.onnx"));
        var slim = Run("slim", At("small.onnx"), "-o", Out, "--macs", "0.5", "--score", "optimal-brain", "--schedule", word, "--report",
            At("small.json"));
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("small.json")));
        Assert.Equal(name, report.RootElement.GetProperty("plan").GetProperty("schedule").GetString());
        Assert.Equal(32, report.RootElement.GetProperty("groups").EnumerateArray()
            .Single(c => c.GetProperty("kept").GetInt32() < c.GetProperty("size").GetInt32()).GetProperty("kept").GetInt32());
    }

    /// <summary>Parts of the model by the names of their nodes.</summary>
    [Fact]
    public void A_component_has_a_budget_of_its_own()
    {
        var g = new GraphBuilder();
        var x = g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "a", 8, 64)), "b", 64, 8);
        g.Output(g.Linear(g.Relu(g.Linear(x, "c", 8, 64)), "d", 64, 5));
        var model = g.Build();
        for (int i = 0; i < model.Proto.Graph.Node.Count; i++) model.Proto.Graph.Node[i].Name = $"/{(i < 5 ? "body" : "head")}/{i}";
        model.Save(At("small.onnx"));
        var slim = Run("slim", At("small.onnx"), "-o", Out, "--component-budget", "body/*: macs=0.5, parameters=0.6", "--component-budget",
            "/head/*:macs=0.25", "--report", At("small.json"));
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("small.json")));
        Assert.Equal([("body/*", 0.5), ("/head/*", 0.25)], report.RootElement.GetProperty("plan").GetProperty("budget")
            .GetProperty("components").EnumerateArray()
            .Select(c => (c.GetProperty("pattern").GetString()!, c.GetProperty("macs").GetDouble())));
        var kept = report.RootElement.GetProperty("groups").EnumerateArray()
            .ToDictionary(c => c.GetProperty("name").GetString()!, c => c.GetProperty("kept").GetInt32());
        // The outputs of b are read by the head: they are in the cost of both.
        Assert.InRange((8.0 * kept["a"]) + (kept["a"] * kept["b"]), 0.4 * 1024, 0.5 * 1024);
        Assert.InRange((kept["b"] * kept["c"]) + (5.0 * kept["c"]), 0.2 * 832, 0.25 * 832);
        Assert.Equal(0, Run("verify", At("small.onnx"), Out, "--report", At("small.json")).Code);
        foreach (string wrong in (string[])["body/*", "body/*: macs=2", "body/*: flops=0.5", ": macs=0.5"])
            Assert.Contains($"--component-budget '{wrong}': expected a pattern",
                Run("slim", At("small.onnx"), "-o", Out, "--component-budget", wrong).Error, StringComparison.Ordinal);
    }

    /// <summary>
    /// Made-up inputs are taken whatever data there are, and the report says so; a guard measures on all of the data then.
    /// </summary>
    [Theory]
    [InlineData("obspa", null, "data", null)]
    [InlineData("obspa-data-free", null, "noise", "The statistics come from 20 seeded random inputs.")]
    [InlineData("obspa-out-of-distribution", null, "outOfDistribution",
        "The statistics come from 20 seeded inputs with natural statistics and nothing of the task.")]
    [InlineData("flap", "noise", "noise", "The statistics come from 20 seeded random inputs.")]
    [InlineData("obspa-data-free", "data", "data", null)]
    public void Inputs_are_where_the_preset_or_the_option_says(string preset, string? word, string name, string? note)
    {
        var g = new GraphBuilder();
        g.Output(g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "a", 8, 64)), "b", 64, 5));
        g.Build().Save(At("small.onnx"));
        File.WriteAllBytes(At("x.npy"), Npy(new Random(1), 32, 8));
        var slim = Run(["slim", At("small.onnx"), "-o", Out, "--macs", "0.6", "--preset", preset, "--calibrate", At("x.npy"), "--samples",
            "20", "--agreement", "0.01", "--report", At("small.json"), .. word is null ? Array.Empty<string>() : ["--inputs", word]]);
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("small.json")));
        Assert.Equal(name, report.RootElement.GetProperty("plan").GetProperty("inputs").GetString());
        string[] notes = [.. report.RootElement.GetProperty("notes").EnumerateArray().Select(n => n.GetString()!)];
        Assert.Equal(note is null ? [] : [note], notes.Where(n => n.Contains("statistics come from", StringComparison.Ordinal)));
        Assert.Contains(notes, n => n.Contains($"on {(note is null ? 5 : 20)} held-out samples", StringComparison.Ordinal));
    }

    /// <summary>
    /// Images take something of the calibration data, and the note says what. Noise in convolutions without batch norms is noise
    /// all the way, and the note says that.
    /// </summary>
    [Theory]
    [InlineData("out-of-distribution", "images have the mean, deviation and range of the calibration data", null)]
    [InlineData("noise", null, "Statistics of noise are then those of noise")]
    public void What_made_up_images_have_of_the_data_is_said(string inputs, string? like, string? folded)
    {
        foreach (bool norms in (bool[])[false, true])
        {
            var g = new GraphBuilder();
            string x = g.Conv(g.Input("x", "n", 3, 8, 8), "a", 3, 32);
            if (norms) x = g.BatchNorm(x, "norm", 32);
            g.Output(g.Linear(g.Flatten(g.GlobalPool(g.Relu(g.Conv(g.Relu(x), "b", 32, 32)))), "c", 32, 5));
            g.Build().Save(At("images.onnx"));
            File.WriteAllBytes(At("x.npy"), Npy(new Random(1), 16, 3, 8, 8));
            var slim = Run("slim", At("images.onnx"), "-o", Out, "--keep", "0.5", "--preset", "fasp", "--calibrate", At("x.npy"),
                "--inputs", inputs);
            Assert.True(slim.Code == 0, slim.Error);
            string text = string.Join(' ', slim.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            Assert.Equal(like is not null, text.Contains(like ?? "images have", StringComparison.Ordinal));
            Assert.Equal(folded is not null && !norms, text.Contains(folded ?? "those of noise", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(null, "kullbackLeibler")]
    [InlineData("top1", "top1")]
    [InlineData("kullback-leibler", "kullbackLeibler")]
    [InlineData("jensen-shannon", "jensenShannon")]
    [InlineData("cosine", "cosine")]
    [InlineData("relative-error", "relativeError")]
    public void Every_divergence_chooses_and_stands_in_the_report(string? word, string metric)
    {
        string[] option = word is null ? [] : ["--divergence", word];
        var slim = Run(["slim", Model, "-o", Out, "--macs", "0.6", "--score", "l2", "--allocate", "divergence", "--compensate", "none",
            .. option, "--report", At("slim.json")]);
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
        Assert.Equal(metric, report.RootElement.GetProperty("plan").GetProperty("divergenceMetric").GetString());
    }

    [Theory]
    [InlineData("none", "none")]
    [InlineData("bias", "bias")]
    [InlineData("affine", "affine")]
    [InlineData("rescale", "rescale")]
    [InlineData("reconstruction", "reconstruction")]
    [InlineData("affine-recovery", "affineRecovery")]
    [InlineData("least-squares", "leastSquares")]
    public void Every_compensation_stands_in_the_report_and_changes_the_file(string word, string method)
    {
        string[] slim = ["slim", Model, "-o", Out, "--neurons", "0.5", "--score", "l2", "--seed", "3"];
        Assert.Equal(0, Run([.. slim, "--compensate", "none"]).Code);
        var plain = File.ReadAllBytes(Out);
        var compensated = Run([.. slim, "--compensate", word, "--report", At("slim.json")]);
        Assert.True(compensated.Code == 0, compensated.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
        Assert.Equal(method, report.RootElement.GetProperty("plan").GetProperty("prune")[0].GetProperty("compensate").GetString());
        Assert.Equal(word == "none", plain.SequenceEqual(File.ReadAllBytes(Out)));
    }

    [Theory]
    [InlineData("l1", "l1")]
    [InlineData("l2", "l2")]
    [InlineData("random", "random")]
    [InlineData("variance", "variance")]
    [InlineData("wanda", "wanda")]
    [InlineData("optimal-brain", "optimalBrain")]
    [InlineData("norm-scale", "normScale")]
    [InlineData("lamp", "lamp")]
    [InlineData("geometric-median", "geometricMedian")]
    [InlineData("fluctuation", "fluctuation")]
    [InlineData("weighted-fluctuation", "weightedFluctuation")]
    [InlineData("energy", "energy")]
    [InlineData("activation-share", "activationShare")]
    [InlineData("router-use", "routerUse")]
    [InlineData("router-similarity", "routerSimilarity")]
    [InlineData("attention-received", "attentionReceived")]
    [InlineData("beta-rank", "betaRank")]
    [InlineData("query-key", "queryKey")]
    [InlineData("retrieval", "retrieval")]
    [InlineData("mask-regression", "maskRegression")]
    public void Every_score_ranks_units_and_stands_in_the_report(string word, string criterion)
    {
        var slim = Run("slim", Model, "-o", Out, "--neurons", "0.5", "--score", word, "--report", At("slim.json"));
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
        Assert.Equal(criterion, report.RootElement.GetProperty("plan").GetProperty("prune")[0].GetProperty("score").GetString());
        Assert.Contains("neurons: 16 of 32 units stay", slim.Text, StringComparison.Ordinal);
        // Only the scores of activations ask for data.
        Assert.Equal(word is "variance" or "wanda" or "optimal-brain" or "fluctuation" or "weighted-fluctuation" or "energy"
            or "activation-share" or "router-use" or "attention-received" or "beta-rank" or "query-key" or "retrieval" or "mask-regression",
            slim.Text.Contains("statistics come from", StringComparison.Ordinal));
    }

    /// <summary>
    /// Weights as products of two, alone, with units and with what makes up for them: the oracle knows the factors from the
    /// report and the slim file.
    /// </summary>
    [Theory]
    [InlineData("products of two: 12 weights", "--low-rank-kv", "0.5")]
    [InlineData("ranks 5 to 5", "--low-rank", "*/k/*=5", "--keep", "0.5")]
    [InlineData("products of two: 6 weights", "--low-rank", "*/k/*=0.6", "--neurons", "0.5", "--compensate", "bias")]
    [InlineData("products of two: 12 weights", "--preset", "cskv", "--macs", "0.98")]
    public void Factored_weights_stand_in_the_report_and_are_verified(string text, params string[] options)
    {
        string model = Assets.Path("gpt.onnx");
        var slim = Run(["slim", model, "-o", Out, .. options, "--samples", "2", "--dim", "sequence=16", "--report", At("slim.json")]);
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains(text, slim.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("Nothing was removed", slim.Text, StringComparison.Ordinal);
        using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
        Assert.NotEmpty(report.RootElement.GetProperty("factored").EnumerateArray());
        var verified = Run("verify", model, Out, "--report", At("slim.json"), "--dim", "sequence=16");
        Assert.True(verified.Code == 0, verified.Text + verified.Error);
        Assert.Contains("weights became products of two", verified.Text, StringComparison.Ordinal);
        Assert.Contains("agreement of the slim model", verified.Text, StringComparison.Ordinal);
        // Factors of another model are told.
        Assert.Equal(1, Run("verify", model, model, "--report", At("slim.json")).Code);
    }

    [Theory]
    [InlineData("w=0", "--low-rank: 'w=0' is no PATTERN=R")]
    [InlineData("w=1.5", "--low-rank: 'w=1.5' is no PATTERN=R")]
    [InlineData("=4", "--low-rank: '=4' is no PATTERN=R")]
    [InlineData("w", "neither Rank nor Keep nor a budget")]
    public void A_wrong_rank_is_named(string text, string message)
    {
        var slim = Run("slim", Model, "-o", Out, "--low-rank", text);
        Assert.NotEqual(0, slim.Code);
        Assert.Contains(message, slim.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("similarity", "blockSimilarity")]
    [InlineData("angle", "blockAngle")]
    [InlineData("divergence", "outputDivergence")]
    [InlineData("random", "random")]
    public void Every_score_of_depth_stands_in_the_report(string word, string criterion)
    {
        var slim = Run("slim", Assets.Path("gpt.onnx"), "-o", Out, "--drop-sublayers", "1", "--depth-score", word, "--samples", "2",
            "--dim", "sequence=16", "--report", At("slim.json"));
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
        Assert.Equal(criterion, report.RootElement.GetProperty("plan").GetProperty("drop")[0].GetProperty("score").GetString());
        Assert.Equal(1, report.RootElement.GetProperty("blocks").GetArrayLength());
    }

    [Theory]
    [InlineData("sum")]
    [InlineData("mean")]
    [InlineData("max")]
    [InlineData("median")]
    [InlineData("product")]
    public void Every_aggregate_stands_in_the_report(string word)
    {
        Assert.Equal(0, Run("slim", Model, "-o", Out, "--neurons", "0.5", "--aggregate", word, "--report", At("slim.json")).Code);
        using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
        Assert.Equal(word, report.RootElement.GetProperty("plan").GetProperty("prune")[0].GetProperty("aggregate").GetString());
    }

    /// <summary>
    /// Max keeps a neuron that one weight needs, product drops what is nothing in one: the model's two weights do not agree.
    /// </summary>
    [Fact]
    public void The_aggregate_decides_what_stays()
    {
        var bytes = new List<byte[]>();
        foreach (var word in new[] { "sum", "mean", "max", "product" })
        {
            Assert.Equal(0, Run("slim", Model, "-o", Out, "--neurons", "0.75", "--score", "l1", "--aggregate", word).Code);
            bytes.Add(File.ReadAllBytes(Out));
        }
        Assert.Equal(bytes[0], bytes[1]);
        Assert.NotEqual(bytes[0], bytes[2]);
        Assert.NotEqual(bytes[0], bytes[3]);
        Assert.NotEqual(bytes[2], bytes[3]);
    }

    [Fact]
    public void A_file_of_scores_decides_what_stays()
    {
        File.WriteAllText(At("scores.json"),
            $$"""{"up": [{{string.Join(", ", Enumerable.Range(0, 32).Select(u => u % 4 < 2 ? 1 : 0))}}]}""");
        foreach (string[] asked in (string[][])[["--score-file", At("scores.json")],
            ["--score", "file", "--score-file", At("scores.json")]])
        {
            var slim = Run(["slim", Model, "-o", Out, "--neurons", "0.5", "--report", At("slim.json"), .. asked]);
            Assert.True(slim.Code == 0, slim.Error);
            using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
            Assert.Equal(Enumerable.Range(0, 32).Where(u => u % 4 >= 2), report.RootElement.GetProperty("removed").GetProperty("up.weight")
                .GetProperty("1").EnumerateArray().Select(e => e.GetInt32()));
            Assert.Equal(0, Run("verify", Model, Out, "--report", At("slim.json")).Code);
        }
        File.WriteAllText(At("scores.json"), """{"up": [1, 2, 3]}""");
        var refused = Run("slim", Model, "-o", At("other.onnx"), "--neurons", "0.5", "--score-file", At("scores.json"));
        Assert.Equal(1, refused.Code);
        Assert.Contains("has 3 scores for group 'up', which has 32 units.", refused.Error, StringComparison.Ordinal);
    }
}
