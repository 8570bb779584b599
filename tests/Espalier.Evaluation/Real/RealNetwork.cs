using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Runtime;

namespace Espalier.Evaluation.Real;

/// <summary>One figure of a slim model.</summary>
/// <param name="Name">Short, as columns are called.</param>
internal sealed record Figure(string Name, double Value);

/// <summary>A real trained network: its file, its calibration data as files, and how near a slim model is to it.</summary>
internal abstract class RealNetwork(Places places)
{
    public abstract string Name { get; }

    /// <summary>What it is, for the page.</summary>
    public abstract string Title { get; }

    /// <summary>What its figures say, for the page.</summary>
    public abstract string Explained { get; }

    /// <summary>File of the dense model.</summary>
    public abstract string Model { get; }

    /// <summary>What is pruned.</summary>
    public abstract Axis[] Axes { get; }

    /// <summary>Outputs that its users look at, by which methods compare; none for all.</summary>
    public virtual IReadOnlyList<string> Outputs => [];

    /// <summary>Samples of a draw when nobody says how many.</summary>
    public abstract int Samples { get; }

    /// <summary>Draws of so many samples that have none in common.</summary>
    public abstract int Draws { get; }

    /// <summary>The first figure is that by which methods are compared.</summary>
    public abstract IReadOnlyList<string> Figures { get; }

    protected Places Places => places;

    /// <summary>Why it cannot be measured here; null where it can.</summary>
    public abstract string? Missing();

    /// <summary>A draw of calibration data as a file that <c>espalier slim --calibrate</c> takes; made where it is not there yet.</summary>
    public abstract string Calibration(int samples, int draw);

    /// <summary>Compares a model with the dense one on held-out data.</summary>
    public abstract IReadOnlyList<Figure> Measure(OnnxModel slim, Split split);

    /// <summary>Inputs of a usual size for timing.</summary>
    public abstract IReadOnlyDictionary<string, NamedTensor> TimingInputs(int batch);

    /// <summary>Whether many inputs run at once: some files fix the batch to 1 inside.</summary>
    public virtual bool TakesBatches => false;

    /// <summary>The model with an open batch axis, where its file closes it.</summary>
    public virtual OnnxModel ForBatches(OnnxModel model) => model;

    /// <summary>Vectors of the dense model, which are computed once and kept.</summary>
    /// <param name="kind">What they are of, for the name of the file.</param>
    /// <param name="data">What they depend on besides the model.</param>
    protected float[][] Remembered(string kind, ReadOnlySpan<byte> data, Func<OnnxModel, float[][]> compute)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(File.ReadAllBytes(Model));
        hash.AppendData(data);
        string file = places.Made("dense", $"{Name}-{kind}-{Convert.ToHexString(hash.GetHashAndReset())[..16]}.bin");
        if (!File.Exists(file))
        {
            using var dense = OnnxModel.Open(Model);
            var computed = compute(dense);
            Whole.Write(file, s =>
            {
                s.Write(BitConverter.GetBytes(computed.Length));
                foreach (float[] v in computed) s.Write(MemoryMarshal.AsBytes<float>(v));
            });
        }
        byte[] bytes = File.ReadAllBytes(file);
        int count = BitConverter.ToInt32(bytes), length = (bytes.Length - sizeof(int)) / count;
        return [.. Enumerable.Range(0, count)
            .Select(i => MemoryMarshal.Cast<byte, float>(bytes.AsSpan(sizeof(int) + (i * length), length)).ToArray())];
    }

    protected static ModelSession Open(OnnxModel model) => Sessions.Open(model, Environment.ProcessorCount);

    /// <summary>The real networks, in the order of the page.</summary>
    public static IReadOnlyList<RealNetwork> All(Places places)
        => [new Encoder(places), new Features(places), .. Detector.Known(places),
            new Voice(places, "silero", "silero_vad.onnx"), new Voice(places, "silero18", "silero_vad_op18_ifless.onnx")];

    /// <summary>The network of that name.</summary>
    public static RealNetwork Get(Places places, string name) => All(places).FirstOrDefault(n => n.Name == name)
        ?? throw new EspalierException($"There is no network '{name}'; there are {string.Join(", ", All(places).Select(n => n.Name))}.");
}
