using System.Buffers.Binary;
using System.Globalization;
using Espalier.Onnx;
using Google.Protobuf;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.TestKit.Graphs;

/// <summary>
/// A large network, seeded and streamed to a file: a stack of MatMul + Relu layers that ends in the width where it began. What is written
/// depends on the arguments alone, and is written without Espalier's own writer, so that tests of that one can use it.
/// </summary>
internal static class LargeModel
{
    private const int Alignment = 64 * 1024;

    /// <summary>
    /// Writes the network: <paramref name="layers"/> weights of width × width float32. 25 layers of width 1024 are 100 MB.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="layers">Number of layers.</param>
    /// <param name="width">Channels of every layer.</param>
    /// <param name="seed">Seed of the weights.</param>
    /// <param name="external">Whether the weights go to a second file, <paramref name="path"/> with <c>.weights</c> appended.</param>
    public static void Write(string path, int layers = 25, int width = 1024, int seed = 1, bool external = false)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16);
        using var weights = external ? new FileStream(path + ".weights", FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16) : null;
        var random = new Random(seed);
        var rest = Graph(layers, width);
        // The weights are the first field of the graph here; protobuf does not mind the order, and each is streamed behind its head.
        var heads = Enumerable.Range(0, layers)
            .Select(i => Head(i, width, external ? Path.GetFileName(path) + ".weights" : null)).ToArray();
        var bytes = (long)width * width * sizeof(float);
        var inner = external ? 0 : 1 + CodedOutputStream.ComputeRawVarint64Size((ulong)bytes) + bytes;
        var tensors = heads.Select(h => h.Length + inner).ToArray();
        var length = rest.Length + tensors.Sum(t => 1 + CodedOutputStream.ComputeRawVarint64Size((ulong)t) + t);
        Number(file, 1 << 3);
        Number(file, 8);
        Number(file, (7 << 3) | 2);
        Number(file, (ulong)length);
        for (var i = 0; i < layers; i++)
        {
            Number(file, (5 << 3) | 2);
            Number(file, (ulong)tensors[i]);
            file.Write(heads[i]);
            if (weights is not null)
            {
                weights.Position = Offset(i, width);
                Weights(weights, random, width);
            }
            else
            {
                Number(file, (9 << 3) | 2);
                Number(file, (ulong)bytes);
                Weights(file, random, width);
            }
        }
        file.Write(rest);
        file.Write(new ModelProto { OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } } }.ToByteArray());
    }

    private static long Offset(int layer, int width)
        => layer * ((((long)width * width * sizeof(float)) + Alignment - 1) / Alignment * Alignment);

    private static byte[] Head(int layer, int width, string? location)
    {
        var tensor = new TensorProto { Dims = { width, width }, DataType = (int)DataType.Float, Name = Invariant($"layer{layer}.weight") };
        if (location is not null)
        {
            tensor.DataLocation = DataLocation.External;
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
            tensor.ExternalData.Add(new StringStringEntryProto
            {
                Key = "offset",
                Value = Offset(layer, width)
                .ToString(CultureInfo.InvariantCulture)
            });
            tensor.ExternalData.Add(new StringStringEntryProto
            {
                Key = "length",
                Value = ((long)width * width * sizeof(float))
                .ToString(CultureInfo.InvariantCulture)
            });
        }
        return tensor.ToByteArray();
    }

    private static byte[] Graph(int layers, int width)
    {
        var graph = new GraphProto { Name = "large", Input = { Info("x", width) }, Output = { Info("y", width) } };
        var value = "x";
        for (var i = 0; i < layers; i++)
        {
            var (product, next) = (Invariant($"product{i}"), i == layers - 1 ? "y" : Invariant($"hidden{i}"));
            graph.Node.Add(new NodeProto
            {
                OpType = "MatMul",
                Name = Invariant($"layer{i}"),
                Input = { value, Invariant($"layer{i}.weight") },
                Output = { product }
            });
            graph.Node.Add(new NodeProto { OpType = "Relu", Name = Invariant($"relu{i}"), Input = { product }, Output = { next } });
            value = next;
        }
        return graph.ToByteArray();
    }

    private static ValueInfoProto Info(string name, int width) => new()
    {
        Name = name,
        Type = new TypeProto
        {
            TensorType = new TypeProto.Types.Tensor
            {
                ElemType = (int)DataType.Float,
                Shape = new TensorShapeProto
                {
                    Dim = { new TensorShapeProto.Types.Dimension { DimParam = "batch" },
                        new TensorShapeProto.Types.Dimension { DimValue = width } },
                },
            },
        },
    };

    private static void Weights(Stream stream, Random random, int width)
    {
        var row = new byte[width * sizeof(float)];
        var scale = MathF.Sqrt(6f / width);
        for (var i = 0; i < width; i++)
        {
            for (var j = 0; j < width; j++)
            {
                BinaryPrimitives.WriteSingleLittleEndian(row.AsSpan(j * sizeof(float)), ((2 * random.NextSingle()) - 1) * scale);
            }
            stream.Write(row);
        }
    }

    private static void Number(Stream stream, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            stream.WriteByte((byte)(value | 0x80));
        }
        stream.WriteByte((byte)value);
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
