using BenchmarkDotNet.Attributes;
using Espalier.Axes;
using Espalier.Onnx;
using Espalier.Pruning;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Benchmarks;

/// <summary>The files of a benchmark, deleted with it.</summary>
public sealed class LargeFiles : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier-").FullName;
    private readonly int _width;

    /// <summary>Writes the dense model.</summary>
    public LargeFiles(int layers, int width)
    {
        _width = width;
        LargeModel.Write(Dense, layers, width);
        Copy();
    }

    /// <summary>The dense model.</summary>
    public string Dense => Path.Combine(_folder, "dense.onnx");

    /// <summary>What the passes write.</summary>
    public string Slim => Path.Combine(_folder, "slim.onnx");

    /// <summary>The yardstick: the system's own copy of the file.</summary>
    public void Copy() => File.Copy(Dense, Path.Combine(_folder, "copy.onnx"), overwrite: true);

    /// <summary>Opens the model and writes it as it is.</summary>
    public void OpenSave()
    {
        using var model = OnnxModel.Open(Dense);
        model.Save(Slim);
    }

    /// <summary>Opens the model, keeps every other unit of every hidden layer, and writes the result.</summary>
    public void OpenGatherSave()
    {
        int[] kept = [.. Enumerable.Range(0, _width).Where(i => i % 2 == 0)];
        using var dense = OnnxModel.Open(Dense);
        var edited = dense.Proto.Clone();
        var weights = edited.Graph.Initializer;
        for (var i = 0; i < weights.Count; i++)
        {
            int[]?[] axes = [i == 0 ? null : kept, i == weights.Count - 1 ? null : kept];
            weights[i] = dense.NewTensor(weights[i].Name, DataType.Float, weights[i].Dims.Select((d, a) => axes[a]?.Length ?? d),
                dense.Content(weights[i]).Gather(axes));
        }
        using var slim = dense.Derive(edited);
        slim.Save(Slim);
    }

    /// <summary>The whole way: opens the model, infers its axes, removes half of every group by L2, and writes the result.</summary>
    public void SlimByL2()
    {
        using var dense = OnnxModel.Open(Dense);
        var plan = new PruningPlan { Prune = [new PruneRule { Name = "neurons", Axis = Axis.Neurons, Keep = 0.5 }] };
        var slim = Slimmer.Run(plan, AxisAnalysis.Run(dense));
        using var model = slim.Model;
        model.Save(Slim);
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

/// <summary>
/// A model of 100 MB against a copy of its file. In this process: the passes take far longer than what another would isolate from them.
/// </summary>
[MemoryDiagnoser, InProcess]
public class LargeModelBenchmark
{
    private LargeFiles _files = null!;

    /// <summary>Writes the model.</summary>
    [GlobalSetup]
    public void Setup() => _files = new(layers: 25, width: 1024);

    /// <summary>Deletes it.</summary>
    [GlobalCleanup]
    public void Cleanup() => _files.Dispose();

    /// <summary>The system's copy.</summary>
    [Benchmark(Baseline = true)]
    public void FileCopy() => _files.Copy();

    /// <summary>Opening alone.</summary>
    [Benchmark]
    public int Open()
    {
        using var model = OnnxModel.Open(_files.Dense);
        return model.Proto.Graph.Node.Count;
    }

    /// <summary>Open and save unchanged.</summary>
    [Benchmark]
    public void OpenSave() => _files.OpenSave();

    /// <summary>Open, gather half of the units, save.</summary>
    [Benchmark]
    public void OpenGatherSave() => _files.OpenGatherSave();

    /// <summary>Open, infer, score by L2, gather, save.</summary>
    [Benchmark]
    public void SlimByL2() => _files.SlimByL2();
}
