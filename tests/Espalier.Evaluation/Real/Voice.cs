using System.Buffers.Binary;
using Espalier.Onnx;

namespace Espalier.Evaluation.Real;

/// <summary>Silero's detector of speech, on the words that ALSA says to test loudspeakers.</summary>
internal sealed class Voice(Places places, string name, string file) : AnswerNetwork(places, file)
{
    /// <summary>Samples of 16 kHz that a step takes, and those of the step before that stand in front of them.</summary>
    private const int Step = 512, Context = 64, State = 2 * 128;

    private const long Rate = 16000;

    public override string Name => name;

    public override string Title => $"Silero VAD, detection of speech (`{Path.GetFileName(Model)}`)";

    /// <summary>Three recordings have fewer than two draws of samples.</summary>
    public override int Draws => 1;

    protected override string Answered => "the probability that a step of 32 ms is speech, of the words that ALSA says to test "
        + "loudspeakers, and the state after it; the state before it is the dense model's";

    public override string Calibration(int samples, int draw)
    {
        string path = Places.Made("calibration", FormattableString.Invariant($"{Name}-{samples}-{draw}.npz"));
        if (!File.Exists(path)) Arrays.WriteSamples(path, [.. Inputs(Purpose.Calibration, draw).Take(samples)]);
        return path;
    }

    protected override float[] Answer(IReadOnlyDictionary<string, NamedTensor> outputs)
        => [.. (float[])outputs["output"].Values, .. (float[])outputs["stateN"].Values];

    protected override IEnumerable<IReadOnlyDictionary<string, NamedTensor>> Inputs(Purpose purpose, int draw)
    {
        string folder = Path.Combine(Debian.Folder(Places, Debian.Speech), "usr", "share", "sounds", "alsa");
        string said = purpose switch { Purpose.Calibration => "Front_*.wav", Purpose.Validation => "Rear_*.wav", _ => "Side_*.wav" };
        using var dense = OnnxModel.Open(Model);
        using var session = Open(dense);
        foreach (string recording in Directory.EnumerateFiles(folder, said).Order(StringComparer.Ordinal))
        {
            float[] sound = Read(recording), state = new float[State];
            for (int at = 0; at + Step <= sound.Length; at += Step)
            {
                float[] heard = [.. Enumerable.Range(at - Context, Context + Step).Select(i => i < 0 ? 0 : sound[i])];
                var sample = new[]
                {
                    new NamedTensor("input", "float32", [1, heard.Length], heard), new NamedTensor("state", "float32", [2, 1, 128], state),
                    new NamedTensor("sr", "int64", [], new[] { Rate }),
                }.ToDictionary(t => t.Name);
                yield return sample;
                state = (float[])session.Run(sample.Values)["stateN"].Values;
            }
        }
    }

    /// <summary>One channel of 16 bits at 48 kHz behind a header of 44 bytes; three samples become one.</summary>
    private static float[] Read(string recording)
    {
        byte[] bytes = File.ReadAllBytes(recording);
        return [.. bytes[44..].Chunk(6).Where(three => three.Length == 6)
            .Select(three => (Sample(three, 0) + Sample(three, 2) + Sample(three, 4)) / 3)];

        static float Sample(byte[] from, int at) => BinaryPrimitives.ReadInt16LittleEndian(from.AsSpan(at)) / 32768f;
    }
}
