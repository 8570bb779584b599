using System.Text.RegularExpressions;
using Espalier.Axes;
using Espalier.Onnx;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>Names and patterns in running text: those of the two networks that pages for users show.</summary>
public sealed partial class NameTests
{
    [Fact]
    public void Names_in_the_text_are_in_the_networks()
    {
        var names = ((string[])["resnet.onnx", "bert.onnx"]).SelectMany(Names).ToHashSet(StringComparer.Ordinal);
        var shown = MarkdownPage.All.Where(p => !p.IsForContributors).SelectMany(p => p.Inline.Where(i => OfAModule().IsMatch(i))
            .Select(i => (p.Path, Name: i))).ToList();
        Assert.NotEmpty(shown);
        var faults = shown.Where(s => !names.Any(n => Regex.IsMatch(n, "^" + Regex.Escape(s.Name).Replace("\\*", ".*",
            StringComparison.Ordinal) + "$", RegexOptions.CultureInvariant))).Select(s => $"{s.Path}: no network has '{s.Name}'");
        Assert.True(!faults.Any(), string.Join('\n', faults));
    }

    private static List<string> Names(string network)
    {
        using var model = OnnxModel.Open(Assets.Path(network));
        var analysis = AxisAnalysis.Run(model);
        var weights = analysis.Groups.SelectMany(g => g.Occurrences).Select(o => o.Tensor).Distinct().ToList();
        return [.. analysis.Groups.Select(g => g.Name), .. analysis.Blocks.Select(b => b.Name), .. weights,
            .. weights.Select(w => analysis.Names.Aliases.GetValueOrDefault(w, w))];
    }

    [GeneratedRegex(@"^((encoder|layers|stem|fc)\.[\w.*]+|pooler)$", RegexOptions.CultureInvariant)]
    private static partial Regex OfAModule();
}
