using System.Globalization;
using Espalier.Onnx;
using Kind = Espalier.Onnx.AttributeProto.Types.AttributeType;

namespace Espalier.Pruning.Diffs;

/// <summary>The value of a node's attribute as text: the same on every machine.</summary>
internal static class AttributeText
{
    /// <summary>The value.</summary>
    /// <param name="attribute">An attribute that holds no graph.</param>
    /// <param name="tensor">Text of a tensor.</param>
    public static string Format(AttributeProto attribute, Func<TensorProto, string> tensor) => attribute.Type switch
    {
        Kind.Int => Text(attribute.I),
        Kind.Float => Text(attribute.F),
        Kind.String => Text(attribute.S),
        Kind.Ints => List(attribute.Ints.Select(Text)),
        Kind.Floats => List(attribute.Floats.Select(Text)),
        Kind.Strings => List(attribute.Strings.Select(Text)),
        Kind.Tensor => tensor(attribute.T),
        Kind.Tensors => List(attribute.Tensors.Select(tensor)),
        // Old files leave the type out; then the one field that is set is the value.
        _ when attribute.HasI => Text(attribute.I),
        _ when attribute.HasF => Text(attribute.F),
        _ when attribute.HasS => Text(attribute.S),
        _ when attribute.T is not null => tensor(attribute.T),
        _ when attribute.Ints.Count > 0 => List(attribute.Ints.Select(Text)),
        _ when attribute.Floats.Count > 0 => List(attribute.Floats.Select(Text)),
        _ => attribute.Type.ToString(),
    };

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
    private static string Text(float value) => value.ToString("R", CultureInfo.InvariantCulture);
    private static string Text(Google.Protobuf.ByteString value) => $"\"{value.ToStringUtf8()}\"";
    private static string List(IEnumerable<string> items) => $"[{string.Join(", ", items)}]";
}
