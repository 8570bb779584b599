using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Runtime;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Calibration.Sums;

/// <summary>Adds up products AᵀB of blocks of rows in float32, by ONNX Runtime's own kernel, in place.</summary>
/// <param name="threads">Threads within a product.</param>
internal sealed class TileProducts(int threads) : IDisposable
{
    private static readonly string[] Inputs = ["a", "b", "c"];

    private readonly RunOptions _options = new();
    // Most methods take no product.
    private ModelSession? _session;

    private ModelSession Open()
    {
        var proto = new ModelProto
        {
            IrVersion = 8,
            Graph = new GraphProto { Name = "tile" },
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } }
        };
        foreach (string name in Inputs)
        {
            var type = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float, Shape = new TensorShapeProto() };
            for (int k = 0; k < 2; k++) type.Shape.Dim.Add(new TensorShapeProto.Types.Dimension());
            proto.Graph.Input.Add(new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = type } });
        }
        var write = new NodeWriter(proto, "tile/");
        write.Output(write.Op("Gemm", Inputs, NodeWriter.Int("transA", 1)));
        using var model = OnnxModel.Wrap(proto);
        return Sessions.Open(model, threads);
    }

    /// <summary>C += AᵀB.</summary>
    /// <param name="c">Row-major [columns of A, columns of B].</param>
    /// <param name="rows">Rows of A and of B.</param>
    public void Add(float[] c, float[] a, float[] b, int rows, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var session = (_session ??= Open()).Inner;
        long m = a.Length / rows, n = b.Length / rows;
        using var left = OrtValue.CreateTensorValueFromMemory(a, [rows, m]);
        using var right = OrtValue.CreateTensorValueFromMemory(b, [rows, n]);
        using var sum = OrtValue.CreateTensorValueFromMemory(c, [m, n]);
        session.Run(_options, Inputs, [left, right, sum], session.OutputNames, [sum]);
    }

    public void Dispose()
    {
        _session?.Dispose();
        _options.Dispose();
    }
}
