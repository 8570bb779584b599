using System.Text.RegularExpressions;
using Espalier.Onnx;

namespace Espalier.Axes.Naming;

/// <summary>How exporters write names: which of them a person gave, and which path of modules they hold.</summary>
internal static partial class NameText
{
    /// <summary>The modules that a node lies in, from a name such as <c>/encoder.0/up/MatMul</c>; null where the name has none.</summary>
    public static string? ScopeOf(NodeProto node)
    {
        int end = node.Name.LastIndexOf('/');
        return end > 0 && Path(node.Name[..end]) is { Length: > 0 } path ? path : null;
    }

    /// <summary>
    /// Modules between dots; an exporter's nested containers repeat their parent (<c>layers/layers.0</c>), which is left out.
    /// </summary>
    public static string Path(string name)
    {
        var kept = new List<string>();
        foreach (string part in name.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (kept.Count > 0 && part.StartsWith(kept[^1] + ".", StringComparison.Ordinal)) kept[^1] = part;
            else kept.Add(part);
        }
        return string.Join('.', kept);
    }

    /// <summary>
    /// The module that a weight belongs to, where its name says what it is there: <c>encoder.0.up</c> of <c>encoder.0.up.weight</c>. Null
    /// for other names, and for those that an exporter numbered.
    /// </summary>
    public static string? ModuleOf(string weight)
        => Role().Match(Unquantized(weight)) is { Success: true } match && match.Groups[1].Value is var module && !IsNumbered(module)
            && Path(module) is { Length: > 0 } path ? path : null;

    /// <summary>Whether a person gave a weight, or a module, its name: identifiers between dots, and no number alone.</summary>
    public static bool IsPlain(string name) => !IsNumbered(name) && Identifiers().IsMatch(name);

    /// <summary>The name before a quantiser added to it.</summary>
    public static string Unquantized(string weight) => Quantized().Replace(weight, "");

    /// <summary>The innermost path that all paths lie in or are; empty where they have none in common.</summary>
    public static string Common(IEnumerable<string> paths)
    {
        string[]? common = null;
        foreach (string path in paths)
        {
            var parts = path.Split('.');
            common = common is null ? parts : [.. common.Zip(parts).TakeWhile(p => p.First == p.Second).Select(p => p.First)];
        }
        return common is null ? "" : string.Join('.', common);
    }

    /// <summary>A path with a word for what lies there, unless it ends in that word already.</summary>
    public static string With(string path, string word)
        => path.Length == 0 ? word
            : path == word || path.EndsWith("." + word, StringComparison.Ordinal) ? path
            : $"{path}.{word}";

    /// <summary>Whether an exporter made the name up, of a number and maybe an operator.</summary>
    public static bool IsNumbered(string name) => Numbered().IsMatch(name);

    // 927; onnx::MatMul_654; val_12; const_fold_opt__323; MatMul_112, Add_6/y:0, Constant_3_output_0 and p2o.Conv.12: an operator and a
    // number. What stands between slashes behind that is the operator's.
    [GeneratedRegex(@"^/?(\d+|.*::.*|(val|_v|const\w*)_+\d+|[A-Z][A-Za-z0-9]*_+\d+|p2o\.\w+\.\d+)(_output_\d+)?([/:].*)?$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Numbered();

    [GeneratedRegex(@"^[A-Za-z_]\w*(\.\w+)*$", RegexOptions.CultureInvariant)]
    private static partial Regex Identifiers();

    [GeneratedRegex(@"_(quantized|quant|dequantized|fp16)$", RegexOptions.CultureInvariant)]
    private static partial Regex Quantized();

    [GeneratedRegex(@"^(.+?)[._/](weight|bias|kernel|filter|gamma|beta|running_mean|running_var|(weight|bias)_[ih]h(_l\d+)?(_reverse)?"
        + @"|[WBwb])(_\d+)?(:\d+)?(/.*)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Role();
}
