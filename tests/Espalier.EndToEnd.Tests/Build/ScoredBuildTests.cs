namespace Espalier.EndToEnd.Tests.Build;

/// <summary>Scores that a policy brings along.</summary>
public sealed class ScoredBuildTests(SharedFeed feed)
{
    private const string Program = """
        foreach (var group in App.SlimTiny.Plan.Report.Groups)
            if (group.Kept < group.Size) Console.WriteLine($"{group.Name} lost {string.Join(' ', group.RemovedUnits)}");
        """;

    /// <summary>Relative to the project, wherever the build runs; a change of the file alone slims again.</summary>
    [Fact]
    public void Scores_of_a_policy_come_from_a_file_of_the_project()
    {
        static string Scores(int low)
            => $$"""{"first": [{{string.Join(", ", Enumerable.Range(0, 8).Select(u => u / 4 == low ? 0 : 1))}}]}""";
        var app = new Workspace(feed.Value, "Scored").Model()
            .Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("data/scores.json", Scores(0))
            .Write("Program.cs", Program)
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
        var app = new Workspace(feed.Value, "Ranked").Model().Project("""<OnnxModel Include="models/*.onnx" />""")
            .Write("Program.cs", Program)
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
}
