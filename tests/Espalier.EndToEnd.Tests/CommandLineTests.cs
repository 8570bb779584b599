using System.Text.Json;
using Espalier.Cli;
using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests;

/// <summary>The tool in this process: what it prints and what it returns.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier cli ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(2, "no-such-command")]
    [InlineData(2, "slim", "model.onnx")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "1.5")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "0,5")]
    [InlineData(2, "slim", "MODEL", "-o", "MODEL", "--keep", "0.5")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "0.5", "--score", "magic")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "0.5", "--metric", "cosine")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "0.5", "--aggregate", "mode")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "0.5", "--score", "file")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "0.5", "--score", "l1", "--score-file", "MODEL")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "0.5", "--score-file", "nowhere.json")]
    [InlineData(1, "slim", "MODEL", "-o", "OUT", "--keep", "0.5", "--score-file", "BROKEN")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--macs", "0.5", "--allocate", "magic")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--latency", "2")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "0.5", "--mean", "0.5")]
    [InlineData(2, "slim", "MODEL", "-o", "OUT", "--keep", "0.5", "--calibrate", "photos", "--std", "0.5;0.5")]
    [InlineData(1, "slim", "MODEL", "-o", "OUT", "--macs", "0.5", "--allocate", "latency")]
    [InlineData(2, "inspect", "missing.onnx")]
    [InlineData(2, "inspect", "MODEL", "--dim", "batch")]
    [InlineData(2, "why", "MODEL", "no.such.tensor")]
    [InlineData(3, "inspect", "BROKEN")]
    [InlineData(3, "slim", "BROKEN", "-o", "OUT", "--keep", "0.5")]
    [InlineData(3, "verify", "MODEL", "MODEL", "--report", "BROKEN")]
    [InlineData(1, "slim", "MODEL", "-o", "OUT", "--experts", "0.5")]
    [InlineData(1, "slim", "MODEL", "-o", "OUT", "--neurons", "0.5", "--score", "variance", "--calibrate", "nowhere.npy")]
    public void A_users_mistake_has_its_exit_code_a_message_and_no_trace(int code, params string[] arguments)
    {
        var result = Run([.. arguments.Select(Resolve)]);
        Assert.True(result.Code == code, $"{result.Code}: {result.Error}");
        Assert.StartsWith("espalier: ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Out), "nothing is written");
    }

    [Fact]
    public void Every_command_has_help_with_examples_that_parse()
    {
        var root = Run("--help");
        Assert.Equal(0, root.Code);
        foreach (var command in new[] { "inspect", "slim", "verify", "diff", "why", "bench", "manifest", "presets" })
        {
            Assert.Contains(command, root.Text, StringComparison.Ordinal);
            var help = Run(command, "--help");
            Assert.Equal(0, help.Code);
            Assert.Contains("Exit codes: 0 done, 1 refused or failed check, 2 usage, 3 malformed input.", help.Text, StringComparison.Ordinal);
            var examples = help.Text[help.Text.IndexOf("Examples:", StringComparison.Ordinal)..].Split('\n').Where(l => l.StartsWith("  espalier ", StringComparison.Ordinal)).ToList();
            Assert.NotEmpty(examples);
            Assert.Contains(examples, e => e.Contains(command, StringComparison.Ordinal));
            // Every option of an example must exist: a file that does not is the only thing that may be wrong with it. What names no file runs.
            foreach (var example in examples.Where(e => e.Trim() != "espalier presets"))
            {
                var arguments = example.Split('>')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(a => a.Trim('\'')).ToArray();
                var tried = Run(arguments);
                Assert.Equal(2, tried.Code);
                Assert.All(tried.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).SkipLast(1), e => Assert.Contains("There is no file", e, StringComparison.Ordinal));
            }
        }
        Assert.Contains("--compensate", Run("slim", "--help").Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Caches_shrink_on_request_and_the_report_and_verify_know()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", "sequence", 12);
        string Project(string name) => g.SplitHeads(g.Linear(x, name, 12, 12), 4, 3);
        var (k, v) = (g.Rename(g.Concat(2, g.Input("past.key", "batch", 4, "past", 3), Project("k")), "present.key"), g.Rename(g.Concat(2, g.Input("past.value", "batch", 4, "past", 3), Project("v")), "present.value"));
        g.Output(k, "batch", 4, "total", 3).Output(v, "batch", 4, "total", 3);
        g.Output(g.Linear(g.MergeHeads(g.Attend(Project("q"), k, v, 0.5f), 12), "o", 12, 5));
        var model = At("cache.onnx");
        g.Build().Save(model);
        string[] sizes = ["--dim", "batch=2", "--dim", "sequence=3", "--dim", "past=4"];

        var refused = Run("slim", model, "-o", Out, "--heads", "0.5");
        Assert.Equal(1, refused.Code);
        Assert.Contains("interface", refused.Error, StringComparison.Ordinal);
        var slim = Run("slim", model, "-o", Out, "--heads", "0.5", "--allow-interface", "--report", At("cache.json"));
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains("interface: input 'past.key' has 2 of 4 on axis 1", slim.Text, StringComparison.Ordinal);
        var verify = Run(["verify", model, Out, "--report", At("cache.json"), .. sizes]);
        Assert.True(verify.Code == 0, verify.Error + verify.Text);
        Assert.Contains("verified", verify.Text, StringComparison.Ordinal);
        // Every axis that stayed has its chain.
        using var report = JsonDocument.Parse(File.ReadAllText(At("cache.json")));
        Assert.All(report.RootElement.GetProperty("frozen").EnumerateArray(), f => Assert.NotEqual(0, f.GetProperty("chain").GetArrayLength()));
    }

    [Theory]
    [InlineData("uniform", "uniform", "--macs", "0.7")]
    [InlineData("global", "global", "--macs", "0.7")]
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
        var slim = Run(["slim", model, "-o", Out, "--allocate", word, .. budget, "--score", "l1", "--compensate", "none", "--report", At("wide.json")]);
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("wide.json")));
        Assert.Equal(name, report.RootElement.GetProperty("plan").GetProperty("allocate").GetString());
        Assert.Contains(report.RootElement.GetProperty("groups").EnumerateArray(), group => group.GetProperty("kept").GetInt32() < group.GetProperty("size").GetInt32());
    }

    [Theory]
    [InlineData(null, null, "magnitude", "l2", "oneShot")]
    [InlineData(null, "DATA", "best", "optimalBrain", "sequential")]
    [InlineData("flap", null, "flap", "variance", "oneShot")]
    [InlineData("zip-lm", "DATA", "zipLm", "optimalBrain", "oneShot")]
    [InlineData("adapt-pruner", "DATA", "adaptPruner", "wanda", "iterative")]
    public void A_preset_says_what_the_options_leave_open(string? preset, string? data, string name, string score, string schedule)
    {
        var g = new GraphBuilder();
        var x = g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "a", 8, 64)), "b", 64, 8);
        g.Output(g.Linear(g.Relu(g.Linear(x, "c", 8, 64)), "d", 64, 5));
        g.Build().Save(At("small.onnx"));
        File.WriteAllBytes(At("x.npy"), Npy(32, 8));
        string[] options = [.. preset is null ? [] : new[] { "--preset", preset }, .. data is null ? [] : new[] { "--calibrate", At("x.npy") }];
        var slim = Run(["slim", At("small.onnx"), "-o", Out, "--macs", "0.6", "--report", At("small.json"), .. options]);
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("small.json")));
        var plan = report.RootElement.GetProperty("plan");
        Assert.Equal((name, schedule), (plan.GetProperty("preset").GetString(), plan.GetProperty("schedule").GetString()));
        Assert.Equal(score, plan.GetProperty("prune")[0].GetProperty("score").GetString());
        Assert.Contains(name is "magnitude" ? "magnitude" : preset ?? name, Run("presets").Text, StringComparison.Ordinal);
        Assert.Equal(0, Run("verify", At("small.onnx"), Out, "--report", At("small.json")).Code);
    }

    /// <summary>Random float32 rows in numpy's format, version 1.</summary>
    private static byte[] Npy(int rows, int columns)
    {
        string header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}";
        header = header.PadRight(((header.Length + 11 + 63) / 64 * 64) - 11) + "\n";
        var random = new Random(1);
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, (byte)(header.Length >> 8), .. System.Text.Encoding.ASCII.GetBytes(header),
            .. Enumerable.Range(0, rows * columns).SelectMany(_ => BitConverter.GetBytes((float)(random.NextDouble() - 0.5)))];
    }

    [Fact]
    public void Weights_among_the_inputs_are_hoisted_on_request()
    {
        var g = new GraphBuilder(storage: WeightStorage.GraphInput);
        g.Output(g.Linear(g.Relu(g.Linear(g.Input("x", "n", 6), "a", 6, 16)), "b", 16, 5));
        var model = At("old.onnx");
        g.Build().Save(model);
        Assert.Equal(0, Run("slim", model, "-o", Out, "--keep", "0.5", "--report", At("old.json")).Code);
        using (var kept = Espalier.Onnx.OnnxModel.Open(Out)) Assert.Equal(5, kept.Proto.Graph.Input.Count);
        Assert.Equal(0, Run("slim", model, "-o", Out, "--keep", "0.5", "--hoist-initializers", "--report", At("old.json")).Code);
        using (var hoisted = Espalier.Onnx.OnnxModel.Open(Out)) Assert.Equal("x", Assert.Single(hoisted.Proto.Graph.Input).Name);
        Assert.Equal(0, Run("verify", model, Out, "--report", At("old.json")).Code);
    }

    [Fact]
    public void A_model_is_slimmed_verified_and_compared()
    {
        var slim = Run("slim", Model, "-o", Out, "--keep", "0.5", "--report", At("slim.json"), "--diff", At("slim.txt"));
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains("neurons: 16 of 32 units stay", slim.Text, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder, "*.tmp"));

        using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
        foreach (var side in new[] { "before", "after" })
        {
            foreach (var unit in new[] { "parameters", "macs", "bytes" }) Assert.True(report.RootElement.GetProperty(side).GetProperty(unit).GetInt64() > 0);
        }
        var removed = report.RootElement.GetProperty("removed").GetProperty("up.weight");
        Assert.Equal(16, removed.EnumerateObject().Single().Value.GetArrayLength());

        var verify = Run("verify", Model, Out, "--report", At("slim.json"));
        Assert.True(verify.Code == 0, verify.Text + verify.Error);
        Assert.Contains("verified: the slim model equals the masked dense model.", verify.Text, StringComparison.Ordinal);

        var wrong = Run("verify", Model, Model, "--report", At("slim.json"));
        Assert.True(wrong.Code == 1, wrong.Text + wrong.Error);
        Assert.Contains("FAILED", wrong.Text, StringComparison.Ordinal);

        var diff = Run("diff", Model, Out);
        Assert.Equal(0, diff.Code);
        Assert.Contains("up.weight", diff.Text, StringComparison.Ordinal);
        Assert.Equal(diff.Text, File.ReadAllText(At("slim.txt")));

        var bench = Run("bench", Model, Out, "--rounds", "2");
        Assert.True(bench.Code == 0, bench.Error);
        Assert.Contains("B/A: ", bench.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_compensated_model_is_verified_before_compensation_and_its_agreement_printed()
    {
        var slim = Run("slim", Model, "-o", Out, "--neurons", "0.5", "--score", "variance", "--compensate", "least-squares", "--report", At("slim.json"), "--seed", "3");
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains("note: Without calibration data the statistics come from 32 seeded random inputs.", slim.Text, StringComparison.Ordinal);
        var verify = Run("verify", Model, Out, "--report", At("slim.json"));
        Assert.True(verify.Code == 0, verify.Text + verify.Error);
        Assert.Contains("compensated for what it removed", verify.Text, StringComparison.Ordinal);
        Assert.Contains("agreement of the slim model with the dense model", verify.Text, StringComparison.Ordinal);
    }

    /// <summary>What half of the neurons costs, in every metric; a guard just above it writes nothing and says the figures, one just below it passes.</summary>
    [Theory]
    [InlineData("top1", "Top1")]
    [InlineData("kullback-leibler", "KullbackLeibler")]
    [InlineData("jensen-shannon", "JensenShannon")]
    [InlineData("cosine", "Cosine")]
    [InlineData("relative-error", "RelativeError")]
    public void A_guard_refuses_what_drifts_further_on_held_out_data(string word, string metric)
    {
        var random = new Random(4);
        var data = At("data.npy");
        File.WriteAllBytes(data, Npy(40, 8, random));
        string[] slim = ["slim", Model, "-o", Out, "--neurons", "0.5", "--score", "wanda", "--compensate", "none", "--calibrate", data, "--metric", word];
        var loose = Run([.. slim, "--agreement", "0.01"]);
        Assert.True(loose.Code == 0, loose.Error);
        var note = loose.Text.Split('\n').Single(l => l.Contains("agrees with the dense one", StringComparison.Ordinal));
        var found = System.Text.RegularExpressions.Regex.Match(note, $@"to ([0-9.]+) by {metric} on 10 held-out samples,");
        Assert.True(found.Success, note);
        var agreement = double.Parse(found.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(agreement, 0.05, 0.9995);
        File.Delete(Out);
        var strict = Run([.. slim, "--agreement", (agreement + 0.0005).ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        Assert.Equal(1, strict.Code);
        Assert.Contains($"agrees with the dense one to {found.Groups[1].Value} by {metric} on 10 held-out samples", strict.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Out), "nothing is written");
        var passes = Run([.. slim, "--agreement", (agreement - 0.0005).ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        Assert.True(passes.Code == 0, passes.Error);
    }

    /// <summary>Of seven samples none can be spared; the report says so.</summary>
    [Fact]
    public void A_guard_on_few_samples_says_that_they_are_the_statistics_own()
    {
        var data = At("data.npy");
        File.WriteAllBytes(data, Npy(7, 8, new Random(4)));
        var slim = Run("slim", Model, "-o", Out, "--neurons", "0.5", "--score", "wanda", "--compensate", "none", "--calibrate", data, "--agreement", "0.01");
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains("by Top1 on 7 samples", slim.Text, StringComparison.Ordinal);
        Assert.Contains("of fewer than 8 none are held out", slim.Text, StringComparison.Ordinal);
    }

    /// <summary>Rows of normal numbers as NumPy writes them.</summary>
    private static byte[] Npy(int rows, int columns, Random random)
    {
        var header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}".PadRight(117) + "\n";
        var values = new float[rows * columns];
        for (var i = 0; i < values.Length; i++) values[i] = (float)((random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 2);
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. System.Text.Encoding.ASCII.GetBytes(header), .. System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values)];
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
        var slim = Run(["slim", Model, "-o", Out, "--macs", "0.6", "--score", "l2", "--allocate", "divergence", "--compensate", "none", .. option, "--report", At("slim.json")]);
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
        Assert.Equal(metric, report.RootElement.GetProperty("plan").GetProperty("divergenceMetric").GetString());
    }

    [Theory]
    [InlineData("none", "none")]
    [InlineData("bias", "bias")]
    [InlineData("affine", "affine")]
    [InlineData("rescale", "rescale")]
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
    [InlineData("activation-share", "activationShare")]
    [InlineData("router-use", "routerUse")]
    [InlineData("router-similarity", "routerSimilarity")]
    [InlineData("attention-received", "attentionReceived")]
    [InlineData("beta-rank", "betaRank")]
    public void Every_score_ranks_units_and_stands_in_the_report(string word, string criterion)
    {
        var slim = Run("slim", Model, "-o", Out, "--neurons", "0.5", "--score", word, "--report", At("slim.json"));
        Assert.True(slim.Code == 0, slim.Error);
        using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
        Assert.Equal(criterion, report.RootElement.GetProperty("plan").GetProperty("prune")[0].GetProperty("score").GetString());
        Assert.Contains("neurons: 16 of 32 units stay", slim.Text, StringComparison.Ordinal);
        // Only the scores of activations ask for data.
        Assert.Equal(word is "variance" or "wanda" or "optimal-brain" or "fluctuation" or "activation-share" or "router-use" or "attention-received" or "beta-rank", slim.Text.Contains("statistics come from", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("similarity", "blockSimilarity")]
    [InlineData("angle", "blockAngle")]
    [InlineData("divergence", "outputDivergence")]
    [InlineData("random", "random")]
    public void Every_score_of_depth_stands_in_the_report(string word, string criterion)
    {
        var slim = Run("slim", Assets.Path("gpt.onnx"), "-o", Out, "--drop-sublayers", "1", "--depth-score", word, "--samples", "2", "--dim", "sequence=16", "--report", At("slim.json"));
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

    /// <summary>Max keeps a neuron that one weight needs, product drops what is nothing in one: the model's two weights do not agree.</summary>
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
        File.WriteAllText(At("scores.json"), $$"""{"up": [{{string.Join(", ", Enumerable.Range(0, 32).Select(u => u % 4 < 2 ? 1 : 0))}}]}""");
        foreach (string[] asked in (string[][])[["--score-file", At("scores.json")], ["--score", "file", "--score-file", At("scores.json")]])
        {
            var slim = Run(["slim", Model, "-o", Out, "--neurons", "0.5", "--report", At("slim.json"), .. asked]);
            Assert.True(slim.Code == 0, slim.Error);
            using var report = JsonDocument.Parse(File.ReadAllText(At("slim.json")));
            Assert.Equal(Enumerable.Range(0, 32).Where(u => u % 4 >= 2), report.RootElement.GetProperty("removed").GetProperty("up.weight").GetProperty("1").EnumerateArray().Select(e => e.GetInt32()));
            Assert.Equal(0, Run("verify", Model, Out, "--report", At("slim.json")).Code);
        }
        File.WriteAllText(At("scores.json"), """{"up": [1, 2, 3]}""");
        var refused = Run("slim", Model, "-o", At("other.onnx"), "--neurons", "0.5", "--score-file", At("scores.json"));
        Assert.Equal(1, refused.Code);
        Assert.Contains("has 3 scores for group 'up', which has 32 units.", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_seed_gives_the_same_bytes()
    {
        var bytes = new List<byte[]>();
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(0, Run("slim", Model, "-o", Out, "--keep", "0.5", "--score", "random", "--seed", "5").Code);
            bytes.Add(File.ReadAllBytes(Out));
        }
        Assert.Equal(bytes[0], bytes[1]);
        Assert.Equal(0, Run("slim", Model, "-o", Out, "--keep", "0.5", "--score", "random", "--seed", "6").Code);
        Assert.NotEqual(bytes[0], File.ReadAllBytes(Out));
    }

    [Fact]
    public void Keeping_everything_gives_the_identical_file()
    {
        Assert.Equal(0, Run("slim", Model, "-o", Out, "--keep", "1").Code);
        Assert.Equal(File.ReadAllBytes(Model), File.ReadAllBytes(Out));
    }

    [Fact]
    public void Inspect_shows_groups_and_what_is_frozen_as_tables_and_as_json()
    {
        var tables = Run("inspect", Model);
        Assert.Equal(0, tables.Code);
        Assert.Contains("neurons", tables.Text, StringComparison.Ordinal);
        Assert.Contains("Frozen", tables.Text, StringComparison.Ordinal);

        var json = Run("inspect", Model, "--json");
        using var parsed = JsonDocument.Parse(json.Text);
        var groups = parsed.RootElement.GetProperty("groups").EnumerateArray().ToList();
        Assert.Contains(groups, g => g.GetProperty("kind").GetString() == "neurons" && g.GetProperty("size").GetInt32() == 32);
        var prunable = parsed.RootElement.GetProperty("prunableParameters").GetInt64();
        Assert.InRange(prunable, 1, parsed.RootElement.GetProperty("cost").GetProperty("parameters").GetInt64());
    }

    [Fact]
    public void Why_names_the_group_and_its_reason()
    {
        var exact = Run("why", Model, "up.weight");
        Assert.True(exact.Code == 0, exact.Error);
        Assert.Contains("neurons, 32 units, exact", exact.Text, StringComparison.Ordinal);
        var frozen = Run("why", Model, "down.weight:1");
        Assert.Contains("frozen: units cannot be removed", frozen.Text, StringComparison.Ordinal);
        Assert.Contains("because: ", frozen.Text, StringComparison.Ordinal);
    }

    private string Model
    {
        get
        {
            var path = At("model.onnx");
            if (File.Exists(path)) return path;
            var g = new GraphBuilder(seed: 5);
            var x = g.Input("x", "batch", 8);
            x = g.Relu(g.Linear(x, "up", 8, 32));
            g.Rename(g.Linear(x, "down", 32, 6), "y");
            g.Output("y", "batch", 6);
            using var model = g.Build();
            model.Save(path);
            return path;
        }
    }

    private string Out => At("out.onnx");

    private string At(string name) => Path.Combine(_folder, name);

    private string Resolve(string argument)
    {
        if (argument == "BROKEN") File.WriteAllText(At("broken"), "this is no model");
        return argument switch { "MODEL" => Model, "OUT" => Out, "BROKEN" => At("broken"), _ => argument };
    }

    internal static (int Code, string Text, string Error) Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = CommandLine.RunAsync(arguments, new Terminal(output, error, interactive: false)).GetAwaiter().GetResult();
        return (code, output.ToString().ReplaceLineEndings("\n"), error.ToString().ReplaceLineEndings("\n"));
    }
}
