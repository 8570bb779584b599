using System.Globalization;
using Espalier.Onnx.Limits;
using Espalier.TestKit;
using Google.Protobuf;

namespace Espalier.Onnx.Tests;

/// <summary>
/// Small models with one thing changed: what ONNX Runtime refuses for its structure is refused at opening, what it takes is taken.
/// ESPALIER_ITERATIONS tries more.
/// </summary>
public class GraphDifferentialTests(ITestOutputHelper output)
{
    private static readonly int Iterations = int.TryParse(Environment.GetEnvironmentVariable("ESPALIER_ITERATIONS"),
        CultureInfo.InvariantCulture, out int n) ? n : 3000;

    // Where ONNX Runtime takes one of two meanings without a word, so that another tool may take the other (onnx-rewriter/README.md).
    private static readonly string[] Stricter =
    [
        "is defined twice", "(Constant) has", "is imported twice", "of the domain 'ai.onnx', of which no operator set",
            "in function 'own.Layer'",
    ];

    // Both names of the default domain mean the same; inside of other nodes ONNX Runtime knows only the one that was imported.
    private static readonly string[] Laxer = ["No opset import for domain 'ai.onnx'", "No opset registered for domain ai.onnx in function"];

    [Fact]
    public void The_models_that_are_changed_are_models()
    {
        foreach (var (name, make) in SmallModels.All)
        {
            Assert.True(Runtime.Refusal(make()) is null, $"{name}: {Runtime.Refusal(make())}");
            OnnxModel.Parse(make().ToByteArray()).Dispose();
        }
    }

    [Fact]
    public void What_ONNX_Runtime_refuses_for_its_structure_is_refused_and_what_it_takes_is_taken()
    {
        var counts = new SortedDictionary<string, int[]>(StringComparer.Ordinal);
        var (gaps, bugs) = (new List<string>(), new List<string>());
        var models = SmallModels.All.ToArray();
        for (int seed = 0; seed < Iterations; seed++)
        {
            var random = new Random(seed);
            var (name, make) = models[random.Next(models.Length)];
            var model = make();
            if (GraphMutations.Apply(random, model) is not { } change) continue;
            string? theirs = Runtime.Refusal(model), ours = Refusal(model);
            string line = $"{seed} {name}, {change}: ours {ours ?? "taken"}; ONNX Runtime: {theirs ?? "taken"}";
            // Taken by both, refused by both; refused by them for types, shapes and kernels; gaps; refused by us for two meanings; bugs.
            int kind = (theirs, ours) switch
            {
                (null, null) => 0,
                (not null, not null) => 1,
                (not null, null) => Runtime.IsStructural(theirs) && !Laxer.Any(s => theirs.Contains(s, StringComparison.Ordinal)) ? 3 : 2,
                _ => Stricter.Any(s => ours!.Contains(s, StringComparison.Ordinal)) ? 4 : 5,
            };
            // Some ranks it looks at only when it runs.
            if (kind == 5 && ours!.Contains("of rank", StringComparison.Ordinal) && Runtime.RunRefusal(model) is not null) kind = 1;
            (counts.TryGetValue(change, out var row) ? row : counts[change] = new int[6])[kind]++;
            if (kind == 3) gaps.Add(line);
            if (kind == 5) bugs.Add(line);
            if (Iterations > 3000 && kind is 2 or 4) output.WriteLine(line);
        }
        output.WriteLine("taken by both, refused by both, types and shapes, gaps, two meanings, bugs");
        foreach (var (change, row) in counts) output.WriteLine($"{string.Join(' ', row.Select(c => $"{c,5}"))}  {change}");
        Assert.True(gaps.Count == 0 && bugs.Count == 0, string.Join('\n', gaps.Concat(bugs).Take(30)));
        Assert.True(counts.Values.Sum(r => r[0]) > Iterations / 10 && counts.Values.Sum(r => r[1]) > Iterations / 4);
    }

    private static string? Refusal(ModelProto model)
    {
        try
        {
            OnnxModel.Parse(model.ToByteArray()).Dispose();
            return null;
        }
        catch (OnnxFormatException e)
        {
            return e.What;
        }
    }
}
