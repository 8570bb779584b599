using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Runtime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Calibration.Sums;

/// <summary>Products AᵀB of blocks of rows in float32, by ONNX Runtime's own kernel.</summary>
/// <param name="threads">Threads within a product.</param>
internal sealed class TileProducts(int threads) : IDisposable
{
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
        foreach (string name in (string[])["a", "b"])
        {
            var type = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float, Shape = new TensorShapeProto() };
            for (int k = 0; k < 2; k++) type.Shape.Dim.Add(new TensorShapeProto.Types.Dimension());
            proto.Graph.Input.Add(new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = type } });
        }
        var write = new NodeWriter(proto, "tile/");
        write.Output(write.Op("Gemm", ["a", "b"], NodeWriter.Int("transA", 1)));
        using var model = OnnxModel.Wrap(proto);
        return Sessions.Open(model, threads);
    }

    /// <summary>AᵀB.</summary>
    /// <param name="rows">Rows of both.</param>
    /// <returns>Row-major [columns of A, columns of B].</returns>
    public float[] Multiply(float[] a, float[] b, int rows, CancellationToken cancellation)
        => (float[])(_session ??= Open()).Run([new("a", "float32", [rows, a.Length / rows], a), new("b", "float32", [rows, b.Length / rows], b)],
            cancellation).Values.Single().Values;

    public void Dispose() => _session?.Dispose();
}
