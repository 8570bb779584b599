using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>Files that a reader of the pages has and the repository has not: photos, an encoder of texts with its vocabulary.</summary>
internal static class ReaderFiles
{
    /// <summary>Bitmaps of 24 bits, one as the other but for their numbers.</summary>
    public static void Photos(string folder, int count = 32)
    {
        const int Width = 40, Height = 30, Header = 54;
        Directory.CreateDirectory(folder);
        for (int n = 1; n <= count; n++)
        {
            var random = new Random(n);
            byte[] file = new byte[Header + Width * Height * 3];
            random.NextBytes(file.AsSpan(Header));
            (file[0], file[1]) = ((byte)'B', (byte)'M');
            foreach (var (place, value) in ((int, int)[])[(2, file.Length), (10, Header), (14, 40), (18, Width), (22, Height),
                (26, 1 | 24 << 16)])
                BitConverter.TryWriteBytes(file.AsSpan(place), value);
            File.WriteAllBytes(Path.Combine(folder, $"{n}.bmp"), file);
        }
    }

    /// <summary>A sentence encoder with random weights, a vocabulary of whole words, and sentences.</summary>
    public static void Encoder(string model, string vocabulary, string sentences)
    {
        string[] lines = File.ReadAllLines(Assets.Path("bert-vocab.txt"));
        foreach (string file in (string[])[model, vocabulary, sentences]) Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllLines(vocabulary, lines);
        File.WriteAllLines(sentences, File.ReadLines(Assets.Path("bert-calibration.tsv")).Take(64).Select(l => l.Split('\t')[^1]));
        var g = new GraphBuilder(seed: 3);
        string ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        g.Input("attention_mask", DataType.Int64, "batch", "sequence");
        string x = g.Node("Gather", [g.Weight("words", lines.Length, 16), ids]);
        string inner = g.MatMul(g.Relu(g.MatMul(x, g.Weight("up.weight", 16, 64))), g.Weight("down.weight", 64, 16));
        using OnnxModel made = g.Output(g.Rename(g.Add(x, inner), "last_hidden_state"), "batch", "sequence", 16).Build();
        made.Save(model);
    }
}
