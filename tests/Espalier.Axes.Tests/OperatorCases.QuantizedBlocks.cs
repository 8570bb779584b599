using Espalier.Axes.Groups;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// Weights in blocks that share a scale, several elements to a byte.
internal static partial class OperatorCases
{
    private const int Block = 16;

    /// <summary>Bytes that differ from each other.</summary>
    private static string Bytes(GraphBuilder g, string name, params long[] dims)
        => g.Integers(name, DataType.Uint8,
            [.. Enumerable.Range(0, (int)dims.Aggregate(1L, (a, b) => a * b)).Select(i => (long)(i * 37 % 251))], dims);

    /// <summary>A linear layer in blocks: <c>name.weight</c>, <c>name.scale</c>, <c>name.zero</c>, <c>name.bias</c>.</summary>
    private static string NBits(GraphBuilder g, string x, string name, int k, int n, int bits, bool zeros, bool bias, bool flat = false)
    {
        int blocks = k / Block, bytes = Block * bits / 8, packed = (blocks * bits + 7) / 8;
        string w = Bytes(g, $"{name}.weight", n, blocks, bytes);
        string s = g.Scales($"{name}.scale", bits == 4 ? 1 / 64f : 1 / 1024f, flat ? [n * blocks] : [n, blocks]);
        string z = zeros
            ? g.Integers($"{name}.zero", DataType.Uint8,
                [.. Enumerable.Range(0, n * packed).Select(i => bits == 4 ? (7 + i % 3) | ((7 + i % 2) << 4) : 120L + i % 9)], flat
                    ? [n * packed]
                    : [n, packed])
            : "";
        List<string> inputs = [x, w, s];
        if (zeros || bias) inputs.Add(z);
        if (bias) inputs.AddRange(["", g.Weight($"{name}.bias", n)]);
        return g.Node(Ms + "MatMulNBits", [.. inputs], ("K", k), ("N", n), ("bits", bits), ("block_size", Block));
    }

    private static void QuantizedBlocks(List<OperatorCase> cases)
    {
        foreach (var (bits, zeros, bias, flat) in ((int, bool, bool, bool)[])
            [(4, false, false, false), (4, false, true, true), (4, true, true, false), (4, true, false, true), (8, false, true, false),
                (8, true, false, true), (8, true, true, false)])
        {
            // Packed zero points hold those of two blocks in a byte, and these go together.
            int units = zeros && bits == 4 ? 3 : 6;
            var added = cases.Of(Ms + "MatMulNBits", 17, g =>
            {
                var y = g.Relu(NBits(g, g.Linear(g.Input("x", "batch", 6), "in", 6, 32), "a", 32, 96, bits, zeros, bias, flat));
                g.Output(g.Linear(g.Relu(NBits(g, y, "b", 96, 24, bits, zeros, bias, flat)), "out", 24, 4));
            }, $"{bits} bits{(zeros ? " with zero points" : "")}{(bias ? " with bias" : "")}{(flat ? " flat" : "")}")
                .Group("b.weight", 1, units, ("b.scale", flat ? 0 : 1), ("a.weight", 0), ("a.scale", 0))
                .Kind(Axis.Neurons, "b.weight", 0, 24, ("b.scale", 0), ("out.weight", 0));
            if (zeros) added.Group("b.zero", flat ? 0 : 1, units, ("a.zero", 0));
            if (bias) added.Group("a.bias", 0, units, ("b.weight", 1));
            if (!zeros || bits == 8) added.Group("a.weight", 1, 2, ("in.weight", 1));
        }
        cases.Of(Ms + "MatMulNBits", 17,
            g => g.Output(
                g.Linear(g.Relu(NBits(g, g.Linear(g.Input("x", "batch", 6), "in", 6, 48), "a", 48, 20, 4, true, false)), "out", 20, 4)),
            "with packed zero points of an odd number of blocks").Frozen("in.weight", 1, "last byte").Group("a.weight", 0, 20,
            ("a.scale", 0), ("a.zero", 0), ("out.weight", 0));
        cases.Of(Ms + "MatMulNBits", 17, g =>
        {
            var x = g.Linear(g.Input("x", "batch", 6), "in", 6, 64);
            var y = g.Node(Ms + "MatMulNBits", [x, Bytes(g, "w", 20, 4, 8), g.Scales("s", 1 / 64f, 20, 4), g.Positive("z", 20, 4)],
                ("K", 64), ("N", 20), ("bits", 4), ("block_size", Block));
            g.Output(g.Linear(g.Relu(y), "out", 20, 4));
        }, "with unpacked zero points").Group("w", 1, 4, ("s", 1), ("z", 1), ("in.weight", 1)).Group("w", 0, 20, ("s", 0), ("z", 0),
        ("out.weight", 0));
        cases.Of(Ms + "MatMulNBits", 17, g =>
        {
            var x = g.Linear(g.Input("x", "batch", 6), "in", 6, 32);
            var y = g.Node(Ms + "MatMulNBits",
                [x, Bytes(g, "w", 20, 2, 8), g.Scales("s", 1 / 64f, 20, 2), "",
                    g.Integers("g", DataType.Int32, [.. Enumerable.Range(0, 32).Select(i => (long)(i / 16))], 32)],
                ("K", 32), ("N", 20), ("bits", 4), ("block_size", Block));
            g.Output(g.Linear(g.Relu(y), "out", 20, 4));
        }, "that lists the group of every column").Frozen("in.weight", 1, "g_idx");
        cases.Of(Ms + "MatMulBnb4", 17, g =>
        {
            string Layer(string x, string name, int k, int n)
                => g.Node(Ms + "MatMulBnb4", [x, Bytes(g, $"{name}.weight", n * k / 2), g.Scales($"{name}.absmax", 1 / 8f, n * k / Block)],
                    ("K", k), ("N", n), ("block_size", Block), ("quant_type", 1));
            var y = g.Relu(Layer(g.Linear(g.Input("x", "batch", 6), "in", 6, 32), "a", 32, 64));
            g.Output(g.Linear(g.Relu(Layer(y, "b", 64, 20)), "out", 20, 4));
        }).Group("a.weight", 0, 4, ("a.absmax", 0), ("b.weight", 0), ("b.absmax", 0)).Group("a.weight", 0, 2, ("in.weight", 1))
            .Kind(Axis.Neurons, "b.weight", 0, 20, ("b.absmax", 0), ("out.weight", 0));
        foreach (var (type, bits, zeros) in ((DataType, int, bool)[])[(DataType.Uint8, 4, false), (DataType.Uint8, 4, true),
            (DataType.Uint4, 4, true), (DataType.Int4, 4, true), (DataType.Uint8, 8, true)])
        {
            bool bytes = type == DataType.Uint8;
            int units = zeros && bytes && bits == 4 ? 2 : 4;
            var added = cases.Of(Ms + "GatherBlockQuantized", 21, g =>
            {
                g.Input("ids", DataType.Int64, "batch", "sequence");
                int width = bytes ? 64 * bits / 8 : 64, points = bytes ? 4 * bits / 8 : 4;
                long low = type == DataType.Int4 ? -8 : 0, high = bytes ? 251 : 16;
                g.Integers("table", type, [.. Enumerable.Range(0, 10 * width).Select(i => low + (i * 37 % high))], 10, width);
                List<string> inputs = ["table", "ids", g.Scales("s", 1 / 16f, 10, 4)];
                if (zeros) inputs.Add(g.Integers("z", type,
                    [.. Enumerable.Range(0, 10 * points)
                        .Select(i => bytes && bits == 4 ? 0x87 : type == DataType.Int4 ? 1L : 7)], 10, points));
                var x = g.Node(Ms + "GatherBlockQuantized", [.. inputs], ("block_size", Block), ("bits", bits), ("gather_axis", 0),
                    ("quantize_axis", 1));
                g.Output(g.Linear(g.Relu(x), "out", 64, 4), "batch", "sequence", 4);
            }, $"{type} {bits} bits{(zeros ? " with zero points" : "")}").Group("table", 1, units, ("s", 1), ("out.weight", 0))
                .Frozen("table", 0, "GatherBlockQuantized");
            if (zeros) added.Group("z", 1, units, ("s", 1));
        }
    }
}
