using System.Text.Json;
using Espalier.Cli;
using Espalier.Cli.Commands;
using Espalier.Cli.Host;
using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>The tool in this process: what it prints and what it returns.</summary>
public sealed partial class CommandLineTests : IDisposable
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
        foreach (var command in new[] { "inspect", "slim", "verify", "diff", "why", "bench", "manifest", "presets", "report" })
        {
            Assert.Contains(command, root.Text, StringComparison.Ordinal);
            var help = Run(command, "--help");
            Assert.Equal(0, help.Code);
            Assert.Contains("Exit codes: 0 done, 1 refused or failed check, 2 usage, 3 malformed input.", help.Text,
                StringComparison.Ordinal);
            var examples = help.Text[help.Text.IndexOf("Examples:", StringComparison.Ordinal)..].Split('\n')
                .Where(l => l.StartsWith("  espalier ", StringComparison.Ordinal)).ToList();
            Assert.NotEmpty(examples);
            Assert.Contains(examples, e => e.Contains(command, StringComparison.Ordinal));
            // Every option of an example must exist: a file that does not is the only thing that may be wrong with it. What
            // names no file runs.
            foreach (var example in examples.Where(e => e.Trim() != "espalier presets"))
            {
                var arguments = example.Split('>')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1)
                    .Select(a => a.Trim('\'')).ToArray();
                var tried = Run(arguments);
                Assert.Equal(2, tried.Code);
                Assert.All(tried.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).SkipLast(1),
                    e => Assert.Contains("There is no file", e, StringComparison.Ordinal));
            }
        }
        string slim = Run("slim", "--help").Text;
        Assert.Contains("--compensate", slim, StringComparison.Ordinal);
        // Output that is no terminal is as readable.
        Assert.All(slim.Split('\n').TakeWhile(l => !l.StartsWith("Examples:", StringComparison.Ordinal)).Skip(2),
            l => Assert.InRange(l.TrimEnd().Length, 0, 140));
    }

    [Fact]
    public void Caches_shrink_on_request_and_the_report_and_verify_know()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", "sequence", 12);
        string Project(string name) => g.SplitHeads(g.Linear(x, name, 12, 12), 4, 3);
        var (k, v) = (g.Rename(g.Concat(2, g.Input("past.key", "batch", 4, "past", 3), Project("k")), "present.key"),
            g.Rename(g.Concat(2, g.Input("past.value", "batch", 4, "past", 3), Project("v")), "present.value"));
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
        Assert.All(report.RootElement.GetProperty("frozen").EnumerateArray(),
            f => Assert.NotEqual(0, f.GetProperty("chain").GetArrayLength()));
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
            foreach (var unit in new[] { "parameters", "macs", "bytes" })
                Assert.True(report.RootElement.GetProperty(side).GetProperty(unit).GetInt64() > 0);
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
        Assert.DoesNotContain("Gemm", bench.Text, StringComparison.Ordinal);

        var operators = Run("bench", Model, Out, "--rounds", "2", "--operators");
        Assert.Matches(@"Gemm +A +[0-9.]+ ms +B +[0-9.]+ ms", operators.Text);
        Assert.Contains("--operators compares two models; give B", Run("bench", Model, "--operators").Error, StringComparison.Ordinal);
    }

    /// <summary>What slimming costs, by step, in passes over the samples; nothing is written.</summary>
    [Fact]
    public void Bench_says_what_slimming_costs()
    {
        string data = At("data.npy");
        File.WriteAllBytes(data, Npy(new Random(4), 40, 8));
        string[] bench = ["bench", Model, "--slim", "--neurons", "0.5", "--preset", "best", "--calibrate", data, "--samples", "30"];
        var table = Run(bench);
        Assert.True(table.Code == 0, table.Error);
        foreach (string step in (string[])["calibrating", "scoring", "fitting layer by layer", "all"])
            Assert.Matches($@"{step} +│ +[0-9.]+ │ +[0-9.]+ │ +[0-9]+ │", table.Text);
        Assert.Contains("23 samples", table.Text, StringComparison.Ordinal);

        using var json = System.Text.Json.JsonDocument.Parse(Run([.. bench, "--json"]).Text);
        Assert.True(json.RootElement.GetProperty("pass").GetDouble() > 0);
        Assert.Equal(23, json.RootElement.GetProperty("samples").GetInt32());
        Assert.True(json.RootElement.GetProperty("steps").EnumerateArray().Sum(s => s.GetProperty("seconds").GetDouble()) > 0);

        var two = Run("bench", Model, Model, "--slim", "--neurons", "0.5");
        Assert.Equal(2, two.Code);
        Assert.Contains("--slim slims A; take", two.Error, StringComparison.Ordinal);
        Assert.Contains("--neurons goes with --slim", Run("bench", Model, "--neurons", "0.5").Error, StringComparison.Ordinal);
        Assert.Contains("--rounds goes without --slim", Run([.. bench, "--rounds", "3"]).Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Out), "nothing is written");

        var left = Run("slim", Model, "-o", Out, "--neurons", "0.5", "--preset", "fasp", "--calibrate", data, "--samples", "30");
        Assert.Contains("Of 40 samples the first 30 are used.", left.Text.ReplaceLineEndings(" "), StringComparison.Ordinal);
    }

    [Fact]
    public void A_compensated_model_is_verified_before_compensation_and_its_agreement_printed()
    {
        var slim = Run("slim", Model, "-o", Out, "--neurons", "0.5", "--score", "variance", "--compensate", "least-squares", "--report",
            At("slim.json"), "--seed", "3");
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains("note: Without calibration data the statistics come from 32 seeded random inputs.", slim.Text,
            StringComparison.Ordinal);
        var verify = Run("verify", Model, Out, "--report", At("slim.json"));
        Assert.True(verify.Code == 0, verify.Text + verify.Error);
        Assert.Contains("compensated for what it removed", verify.Text, StringComparison.Ordinal);
        Assert.Contains("agreement of the slim model with the dense model", verify.Text, StringComparison.Ordinal);
    }

    /// <summary>
    /// What half of the neurons costs, in every metric; a guard just above it writes nothing and says the figures, one just
    /// below it passes.
    /// </summary>
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
        File.WriteAllBytes(data, Npy(random, 40, 8));
        string[] slim = ["slim", Model, "-o", Out, "--neurons", "0.5", "--score", "wanda", "--compensate", "none", "--calibrate", data,
            "--metric", word];
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
        Assert.Contains($"agrees with the dense one to {found.Groups[1].Value} by {metric} on 10 held-out samples", strict.Error,
            StringComparison.Ordinal);
        Assert.False(File.Exists(Out), "nothing is written");
        var passes = Run([.. slim, "--agreement", (agreement - 0.0005).ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        Assert.True(passes.Code == 0, passes.Error);
    }

    /// <summary>
    /// Labels that the dense model cannot have learnt: a guard by them is the loss on held-out data; without them it is
    /// refused, and so are too few.
    /// </summary>
    [Fact]
    public void A_guard_by_the_loss_reads_labels()
    {
        var (data, labels) = (At("data.npy"), At("labels.txt"));
        File.WriteAllBytes(data, Npy(new Random(4), 40, 8));
        File.WriteAllLines(labels, Enumerable.Range(0, 40)
            .Select(i => (i % 2).ToString(System.Globalization.CultureInfo.InvariantCulture)));
        string[] slim = ["slim", Model, "-o", Out, "--neurons", "0.5", "--score", "output-divergence", "--divergence", "task-loss",
            "--compensate", "none", "--calibrate", data, "--metric", "task-loss", "--agreement", "0.001"];
        var done = Run([.. slim, "--labels", labels]);
        Assert.True(done.Code == 0, done.Error);
        Assert.Matches(@"agrees with the dense one to [0-9.]+ by TaskLoss on 10 held-out samples", done.Text);
        var refused = Run(slim);
        Assert.Equal(1, refused.Code);
        Assert.Contains("Give labels (--labels FILE", refused.Error, StringComparison.Ordinal);
        File.WriteAllText(labels, "1\n0\n");
        Assert.Contains("2 labels for 40 samples", Run([.. slim, "--labels", labels]).Error, StringComparison.Ordinal);
    }

    /// <summary>Of seven samples none can be spared; the report says so.</summary>
    [Fact]
    public void A_guard_on_few_samples_says_that_they_are_the_statistics_own()
    {
        var data = At("data.npy");
        File.WriteAllBytes(data, Npy(new Random(4), 7, 8));
        var slim = Run("slim", Model, "-o", Out, "--neurons", "0.5", "--score", "wanda", "--compensate", "none", "--calibrate", data,
            "--agreement", "0.01");
        Assert.True(slim.Code == 0, slim.Error);
        Assert.Contains("by Top1 on 7 calibration samples", slim.Text, StringComparison.Ordinal);
        Assert.Contains("of fewer than 8 none are held out", slim.Text, StringComparison.Ordinal);
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
        long parameters = parsed.RootElement.GetProperty("cost").GetProperty("parameters").GetInt64();
        Assert.InRange(prunable, 1, parameters);

        Assert.Contains("Weights of which nothing can be removed", tables.Text, StringComparison.Ordinal);
        var weights = parsed.RootElement.GetProperty("weights").EnumerateArray().ToList();
        Assert.Equal(parameters, weights.Sum(w => w.GetProperty("parameters").GetInt64()));
        Assert.Contains(weights, w => w.GetProperty("standing").GetString() == "frozen" && w.GetProperty("reason").GetString()!.Length > 0);
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
