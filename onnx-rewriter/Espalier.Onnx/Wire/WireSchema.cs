using Espalier.Onnx.Payloads;
using Google.Protobuf.Reflection;

namespace Espalier.Onnx.Wire;

/// <summary>What the walk does with a field, beside passing over it.</summary>
internal enum FieldRole
{
    None, Graph, Node, Attribute, Initializer, TensorName, TensorDims, TensorType, TensorLocation,
    TensorSegment, TensorData
}

/// <summary>How a field's values are stored.</summary>
internal enum FieldShape { Varint, Fixed32, Fixed64, Bytes, Text, Message }

/// <summary>One field of a message of the format.</summary>
internal sealed record WireField(int Number, string Name, FieldShape Shape, bool Repeated, FieldRole Role, DataField Data)
{
    /// <summary>A text that names something, and no prose.</summary>
    public bool IsName { get; init; }
    /// <summary>The message that it holds; set when all messages are known, since they hold each other.</summary>
    public WireMessage? Message { get; set; }
}

/// <summary>One message of the format: its fields by number, and about how many bytes an empty one takes as an object.</summary>
internal sealed record WireMessage(string Name, WireField?[] Fields, int ObjectBytes, bool IsTensor)
{
    /// <summary>The field of this number, or null for one that our statement of the format does not have.</summary>
    public WireField? Field(uint number) => number < Fields.Length ? Fields[number] : null;
}

/// <summary>
/// The format as tables for the walk, made from the descriptors of the generated messages: there is one statement of it, onnx.proto.
/// </summary>
internal static class WireSchema
{
    public static WireMessage Model { get; } = Build(ModelProto.Descriptor);

    private static WireMessage Build(MessageDescriptor root)
    {
        var messages = new Dictionary<string, WireMessage>(StringComparer.Ordinal);
        var open = new Queue<MessageDescriptor>([root]);
        var links = new List<(WireField Field, string Message)>();
        while (open.TryDequeue(out var descriptor))
        {
            if (messages.ContainsKey(descriptor.FullName))
            {
                continue;
            }
            var fields = new WireField?[descriptor.Fields.InDeclarationOrder().Max(f => f.FieldNumber) + 1];
            foreach (var field in descriptor.Fields.InDeclarationOrder())
            {
                var wire = Field(descriptor, field);
                fields[field.FieldNumber] = wire;
                if (field.FieldType == FieldType.Message)
                {
                    open.Enqueue(field.MessageType);
                    links.Add((wire, field.MessageType.FullName));
                }
            }
            messages.Add(descriptor.FullName,
                new(descriptor.Name, fields, ObjectBytes(descriptor.Name), descriptor.Name == nameof(TensorProto)));
        }
        foreach (var (field, message) in links)
        {
            field.Message = messages[message];
        }
        return messages[root.FullName];
    }

    private static WireField Field(MessageDescriptor message, FieldDescriptor field)
    {
        var shape = field.FieldType switch
        {
            FieldType.Message => FieldShape.Message,
            FieldType.String => FieldShape.Text,
            FieldType.Bytes => FieldShape.Bytes,
            FieldType.Float => FieldShape.Fixed32,
            FieldType.Double => FieldShape.Fixed64,
            FieldType.Int32 or FieldType.Int64 or FieldType.UInt64 or FieldType.Enum => FieldShape.Varint,
            var other => throw new InvalidOperationException($"onnx.proto uses {other}, which the walk does not know."),
        };
        var data = (message.Name, field.Name) switch
        {
            (nameof(TensorProto), "raw_data") => DataField.Raw,
            (nameof(TensorProto), "float_data") => DataField.Float,
            (nameof(TensorProto), "int32_data") => DataField.Int32,
            (nameof(TensorProto), "string_data") => DataField.String,
            (nameof(TensorProto), "int64_data") => DataField.Int64,
            (nameof(TensorProto), "double_data") => DataField.Double,
            (nameof(TensorProto), "uint64_data") => DataField.UInt64,
            _ => DataField.None,
        };
        var role = (message.Name, field.Name) switch
        {
            _ when data != DataField.None => FieldRole.TensorData,
            (nameof(TensorProto), "name") => FieldRole.TensorName,
            (nameof(TensorProto), "dims") => FieldRole.TensorDims,
            (nameof(TensorProto), "data_type") => FieldRole.TensorType,
            (nameof(TensorProto), "data_location") => FieldRole.TensorLocation,
            (nameof(TensorProto), "segment") => FieldRole.TensorSegment,
            (nameof(GraphProto), "initializer" or "sparse_initializer") => FieldRole.Initializer,
            _ when shape != FieldShape.Message => FieldRole.None,
            _ when field.MessageType.Name == nameof(GraphProto) => FieldRole.Graph,
            _ when field.MessageType.Name == nameof(NodeProto) => FieldRole.Node,
            _ when field.MessageType.Name == nameof(AttributeProto) => FieldRole.Attribute,
            _ => FieldRole.None,
        };
        var free = field.Name == "doc_string" || message.Name == nameof(StringStringEntryProto);
        return new(field.FieldNumber, field.Name, shape, field.IsRepeated, role, data) { IsName = shape == FieldShape.Text && !free };
    }

    /// <summary>Measured for the three that are many (64-bit .NET 10); the others are rounded up.</summary>
    private static int ObjectBytes(string message) => message switch
    {
        nameof(TensorProto) => 440,
        nameof(AttributeProto) => 400,
        nameof(NodeProto) => 272,
        _ => 160,
    };
}
