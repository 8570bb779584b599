using System.Globalization;
using System.Security.Cryptography;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Manifests;
using Espalier.Generator.Manifests;
using Espalier.Onnx;

namespace Espalier.Generator.Tests;

/// <summary>What the inference finds in real models is what the generator reads.</summary>
public class ManifestWriterTests
{
    private static readonly string Root =
        typeof(ManifestWriterTests).Assembly.GetCustomAttributes(typeof(System.Reflection.AssemblyMetadataAttribute), false)
        .Cast<System.Reflection.AssemblyMetadataAttribute>().Single(a => a.Key == "Espalier.RepositoryRoot").Value!;

    public static TheoryData<string> Models()
    {
        var models = new TheoryData<string>();
        foreach (var folder in (string[])["tests/assets", "examples/models"])
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Root, folder), "*.onnx").Order(StringComparer.Ordinal))
                models.Add(Path.GetRelativePath(Root, file).Replace('\\', '/'));
        return models;
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void The_generator_reads_what_is_written(string path)
    {
        var file = Path.Combine(Root, path);
        using var model = OnnxModel.Open(file);
        var analysis = AxisAnalysis.Run(model);
        var text = ManifestWriter.Write(analysis, path);
        var read = ManifestReader.Read("x", text);
        Assert.Equal("", read.Error);
        var manifest = read.Manifest!;
        Assert.Equal((path, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))), new FileInfo(file).Length),
            (manifest.Model, manifest.Sha256, manifest.Bytes));
        Assert.NotEmpty(manifest.Inputs);
        Assert.Equal(model.Proto.Graph.Output.Select(o => o.Name), manifest.Outputs.Select(o => o.Name));
        Assert.Equal(
            analysis.Groups.Select(g =>
                (g.Id, g.Name, g.Kind.ToString(), g.Size, g.Exactness.ToString(), g.MinKeep, g.Partner?.Id ?? -1, g.Reason ?? "")),
            manifest.Groups.Select(g => (g.Id, g.Name, g.Kind.ToString(), g.Size, Pascal(g.Exactness), g.MinKeep, g.Partner, g.Reason)));
        Assert.Equal(analysis.Groups.Select(g => g.Occurrences.Select(o => (o.Tensor, o.Axis)).Distinct().Count()),
            manifest.Groups.Select(g => g.Members.Count));
        Assert.Equal(analysis.Groups.SelectMany(g => g.Occurrences.Select(o => o.Tensor).Distinct()).Select(t => (t,
            analysis.Names.Aliases.GetValueOrDefault(t, ""))), manifest.Groups.SelectMany(g => g.Weights).Select(w => (w.Name, w.Alias)));
        Assert.Equal(analysis.Blocks.Select(b => (b.Id, b.Name, b.IsSublayer)), manifest.Blocks.Select(b => (b.Id, b.Name, b.IsSublayer)));

        // The generator prices any choice of sizes as the rewriter does.
        var polynomial = new Planning.CostPolynomial(manifest);
        var random = new Random(20261125);
        var sizes = analysis.Groups.ToDictionary(g => g.Id, g => random.Next(1, g.Size + 1));
        var removed = analysis.Blocks.Where(b => b.IsSublayer && random.Next(2) == 0).Select(b => b.Id).ToHashSet();
        foreach (var unit in Enum.GetValues<CostUnit>())
        {
            var name = unit.ToString().ToLowerInvariant();
            Assert.Equal(analysis.Cost.Evaluate(unit), polynomial.Evaluate(name));
            Assert.Equal(analysis.Cost.Evaluate(unit, g => sizes.TryGetValue(g, out var size)
                ? size
                : analysis.Cost.GroupSizes[g], removed), polynomial.Evaluate(name, sizes, removed));
        }
    }

    [Fact]
    public void The_text_is_the_same_in_every_culture()
    {
        using var model = OnnxModel.Open(Path.Combine(Root, "examples/models/resnet.onnx"));
        var analysis = AxisAnalysis.Run(model);
        var here = ManifestWriter.Write(analysis, "models\\resnet.onnx");
        var culture = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("")
            { NumberFormat = new NumberFormatInfo { NegativeSign = "−", NumberDecimalSeparator = "," } };
            Assert.Equal(here, ManifestWriter.Write(analysis, "models/resnet.onnx"));
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    private static string Pascal(string name) => char.ToUpperInvariant(name[0]) + name[1..];
}
