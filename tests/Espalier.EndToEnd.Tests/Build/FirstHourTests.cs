namespace Espalier.EndToEnd.Tests.Build;

/// <summary>The ways in that need no project file of one's own.</summary>
public sealed class FirstHourTests(SharedFeed feed)
{
    [Fact]
    public void A_project_from_the_template_slims_and_runs()
    {
        var place = new Workspace(feed.Value, "From template").Model("given/tiny.onnx", channels: 48);
        string hive = place["hive"], package = feed.Value.Packages.Single(p => p.Contains("Espalier.Templates.", StringComparison.Ordinal));
        place.Run("new", "install", package, "--debug:custom-hive", hive).Succeeds();
        place.Run("new", "espalier", "-n", "my-app", "--model", "../given/tiny.onnx", "--debug:custom-hive", hive).Succeeds();
        var app = new Workspace(feed.Value, Path.Combine("From template", "my-app"));
        app.Run("run", "-c", "Release").Succeeds().Says("MACs  ").Says("second");

        place.Run("new", "espalier", "-n", "heads", "--rules", "transformer", "--debug:custom-hive", hive).Succeeds();
        string policy = File.ReadAllText(place["heads/Policy.cs"]);
        Assert.Contains("Axis.Heads", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("Axis.Channels", policy, StringComparison.Ordinal);
        new Workspace(feed.Value, Path.Combine("From template", "heads")).Build().Fails()
            .Says("error ESPB001: There is no model 'models/model.onnx': no file '");
    }

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
