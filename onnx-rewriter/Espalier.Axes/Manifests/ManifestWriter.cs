using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Espalier.Onnx;

namespace Espalier.Axes.Manifests;

/// <summary>
/// Writes what the inference found as the text that the source generator reads. The format stands in generator/README.md: one entry per
/// line, fields between tabs, <c>\n</c> between lines, culture-invariant, the same text for the same model.
/// <see cref="FormatVersion"/> goes up when it changes.
/// </summary>
internal static class ManifestWriter
{
    /// <summary>Version in the first line; the generator refuses any other.</summary>
    public const int FormatVersion = 2;

    /// <summary>The manifest of a model that was opened from a file, whose bytes are read once more for the checksum.</summary>
    /// <param name="analysis">What was found in the model.</param>
    /// <param name="model">The model's path relative to the project.</param>
    /// <exception cref="ArgumentException">The model has no file.</exception>
    public static string Write(AxisAnalysis analysis, string model)
    {
        ArgumentNullException.ThrowIfNull(analysis);
        var path = analysis.Model.Path
            ?? throw new ArgumentException("The model was not opened from a file: state its checksum and size.", nameof(analysis));
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
        return Write(analysis, model, Convert.ToHexStringLower(SHA256.HashData(stream)), stream.Length);
    }

    /// <summary>The manifest of a model with a known checksum.</summary>
    /// <param name="analysis">What was found in the model.</param>
    /// <param name="model">The model's path relative to the project.</param>
    /// <param name="sha256">SHA-256 of the model's file, in lower-case hexadecimal.</param>
    /// <param name="bytes">Size of the model's file.</param>
    public static string Write(AxisAnalysis analysis, string model, string sha256, long bytes)
    {
        ArgumentNullException.ThrowIfNull(analysis);
        var text = new ManifestText();
        text.Line("espalier-manifest", FormatVersion);
        text.Line("model", model.Replace('\\', '/'));
        text.Line("sha256", sha256);
        text.Line("bytes", bytes);

        var graph = analysis.Model.Proto.Graph;
        // Before IR version 4 every weight is listed as an input too; those are not what a caller gives.
        var weights = graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var input in graph.Input.Where(i => !weights.Contains(i.Name))) text.Line(["input", input.Name, .. TypeOf(input.Type)]);
        foreach (var output in graph.Output) text.Line(["output", output.Name, .. TypeOf(output.Type)]);

        foreach (var (tensor, alias) in analysis.Names.Aliases) text.Line("alias", tensor, alias);
        foreach (var group in analysis.Groups)
        {
            text.Line(["group", group.Id, group.Name, Words.Camel(group.Kind), group.Size, Words.Camel(group.Exactness), group.MinKeep,
                group.Partner?.Id ?? -1, group.Reason ?? "",
                .. group.Occurrences.Select(o => (o.Tensor, o.Axis)).Distinct()
                    .Select(o => (object)$"{o.Tensor}:{o.Axis.ToString(CultureInfo.InvariantCulture)}")]);
        }
        foreach (var block in analysis.Blocks)
            text.Line("block", block.Id, block.IsSublayer ? "sublayer" : "block", block.Name, Join(block.Sublayers));
        foreach (var m in analysis.Cost.Monomials)
            text.Line("cost", Words.Camel(m.Unit), m.Coefficient, m.Sublayer, Join(m.Groups), Join(m.Padded));
        // A file that was cut off at a line's end would otherwise read as a smaller model.
        text.Line("end");
        return text.ToString();
    }

    private static IEnumerable<object> TypeOf(TypeProto? type)
    {
        if (type?.ValueCase != TypeProto.ValueOneofCase.TensorType)
        {
            yield return (type?.ValueCase ?? TypeProto.ValueOneofCase.None) switch
            {
                TypeProto.ValueOneofCase.SequenceType => "sequence",
                TypeProto.ValueOneofCase.MapType => "map",
                TypeProto.ValueOneofCase.OptionalType => "optional",
                TypeProto.ValueOneofCase.SparseTensorType => "sparse",
                TypeProto.ValueOneofCase.OpaqueType => "opaque",
                _ => "unknown",
            };
            yield return "*";
            yield break;
        }
        yield return ElementName((TensorProto.Types.DataType)type.TensorType.ElemType);
        if (type.TensorType.Shape is not { } shape)
        {
            yield return "*";
            yield break;
        }
        foreach (var dim in shape.Dim)
        {
            yield return dim.ValueCase == TensorShapeProto.Types.Dimension.ValueOneofCase.DimValue && dim.DimValue >= 0
                ? dim.DimValue
                : "?" + (dim.ValueCase == TensorShapeProto.Types.Dimension.ValueOneofCase.DimParam ? dim.DimParam : "");
        }
    }

    private static string ElementName(TensorProto.Types.DataType type) => type switch
    {
        TensorProto.Types.DataType.Float => "float32",
        TensorProto.Types.DataType.Double => "float64",
        _ => type.ToString().ToLowerInvariant(),
    };

    private static string Join(IEnumerable<int> numbers) => string.Join(',', numbers.Select(n => n.ToString(CultureInfo.InvariantCulture)));
}

/// <summary>Lines of tab-separated fields.</summary>
internal sealed class ManifestText
{
    private readonly StringBuilder _text = new();

    public void Line(params ReadOnlySpan<object> fields)
    {
        for (var i = 0; i < fields.Length; i++)
        {
            if (i > 0) _text.Append('\t');
            Escape(fields[i] switch
            {
                double d => d.ToString("R", CultureInfo.InvariantCulture),
                IFormattable f => f.ToString(null, CultureInfo.InvariantCulture),
                var other => other.ToString() ?? "",
            });
        }
        _text.Append('\n');
    }

    // A name in a model may hold anything; a backslash starts an escape: \\ \t \n \r.
    private void Escape(string field)
    {
        foreach (var c in field)
        {
            _ = c switch
            {
                '\\' => _text.Append("\\\\"),
                '\t' => _text.Append("\\t"),
                '\n' => _text.Append("\\n"),
                '\r' => _text.Append("\\r"),
                _ => _text.Append(c),
            };
        }
    }

    public override string ToString() => _text.ToString();
}
