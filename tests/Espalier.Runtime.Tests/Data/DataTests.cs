using System.IO.Compression;
using System.Text;
using Espalier.Calibration.Data;
using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Runtime.Tests.Data;

public sealed class DataTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier-data-").FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    private string Write(string name, params ReadOnlySpan<byte[]> parts)
    {
        string path = Path.Combine(_folder, name);
        using var file = File.Create(path);
        foreach (var part in parts) file.Write(part);
        return path;
    }

    private static byte[] Npy(string descr, string shape, byte[] data, string order = "False", byte version = 1)
    {
        var header = Encoding.ASCII.GetBytes($"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
        byte[] size = version == 1 ? BitConverter.GetBytes((ushort)header.Length) : BitConverter.GetBytes(header.Length);
        return [0x93, .. "NUMPY"u8, version, 0, .. size, .. header, .. data];
    }

    private static byte[] Bytes<T>(params T[] values)
        where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    private static OnnxModel Vector(TensorProto.Types.DataType type = TensorProto.Types.DataType.Float)
    {
        var g = new GraphBuilder();
        return g.Output(g.Node("Identity", g.Input("x", type, "batch", 3))).Build();
    }

    private static OnnxModel Image()
    {
        var g = new GraphBuilder();
        return g.Output(g.Node("Identity", g.Input("image", "batch", 1, 2, 3))).Build();
    }

    private static OnnxModel Two()
    {
        var g = new GraphBuilder();
        g.Input("n:0", TensorProto.Types.DataType.Int64, "batch", 1);
        return g.Output(g.Node("Identity", g.Input("x", "batch", 3))).Build();
    }

    [Theory]
    [InlineData("<f4", (byte)1)]
    [InlineData("<f8", (byte)2)]
    [InlineData("<i4", (byte)3)]
    [InlineData("<i8", (byte)1)]
    [InlineData("|u1", (byte)1)]
    public void Arrays_are_cut_into_samples_of_the_input_s_type(string descr, byte version)
    {
        byte[] data = descr switch
        {
            "<f4" => Bytes<float>(1, 2, 3, 4, 5, 6),
            "<f8" => Bytes<double>(1, 2, 3, 4, 5, 6),
            "<i4" => Bytes(1, 2, 3, 4, 5, 6),
            "<i8" => Bytes<long>(1, 2, 3, 4, 5, 6),
            _ => [1, 2, 3, 4, 5, 6],
        };
        string path = Write("x.npy", Npy(descr, "2, 3", data, version: version));
        var samples = CalibrationData.Read(path, Vector());
        Assert.Equal(2, samples.Count);
        Assert.Equal([1, 3], samples[1]["x"].Shape);
        Assert.Equal(new float[] { 4, 5, 6 }, samples[1]["x"].Values);
        Assert.Equal(new long[] { 1, 2, 3 },
            CalibrationData.Read(path, Vector(TensorProto.Types.DataType.Int64), new DataOptions { Samples = 1 }).Single()["x"].Values);
    }

    [Fact]
    public void Archives_and_folders_have_one_array_for_each_input()
    {
        byte[] x = Npy("<f4", "2, 3", Bytes<float>(1, 2, 3, 4, 5, 6)), n = Npy("<i4", "2,", Bytes(7, 8));
        using (var archive = ZipFile.Open(Path.Combine(_folder, "both.npz"), ZipArchiveMode.Create))
        {
            using (var s = archive.CreateEntry("x.npy").Open()) s.Write(x);
            using (var s = archive.CreateEntry("n:0.npy").Open()) s.Write(n);
        }
        Write("x.npy", x);
        Write("n_0.npy", n);
        foreach (string path in new[] { Path.Combine(_folder, "both.npz"), _folder })
        {
            var samples = CalibrationData.Read(path, Two());
            Assert.Equal(2, samples.Count);
            Assert.Equal(new float[] { 4, 5, 6 }, samples[1]["x"].Values);
            Assert.Equal([1, 1], samples[1]["n:0"].Shape);
            Assert.Equal(new long[] { 8 }, samples[1]["n:0"].Values);
        }
    }

    [Fact]
    public void Images_are_scaled_and_get_their_channel_axis()
    {
        byte[] idx = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, .. Enumerable.Range(0, 12).Select(i => (byte)(i * 20))];
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest)) gzip.Write(idx);
        foreach (string path in new[] { Write("a-idx3-ubyte", idx), Write("b-idx3-ubyte.gz", packed.ToArray()) })
        {
            var samples = CalibrationData.Read(path, Image());
            Assert.Equal([1, 1, 2, 3], samples[1]["image"].Shape);
            Assert.Equal(Enumerable.Range(6, 6).Select(i => (float)(i * 20 / 255.0)), (float[])samples[1]["image"].Values);
        }
    }

    [Theory]
    [InlineData("x.npy", "there are no calibration data")]
    [InlineData("a.bin", "of no kind that calibration reads")]
    [InlineData("short.npy", "cut short")]
    [InlineData("long.npy", "more than the 6 elements")]
    [InlineData("magic.npy", "does not start as a NumPy array")]
    [InlineData("type.npy", "'<c8'")]
    [InlineData("order.npy", "Fortran order")]
    [InlineData("huge.npy", "too large")]
    [InlineData("claim.npy", "cut short")]
    [InlineData("shape.npy", "'x' came as [3,2], which does not fit; it is taken as [n,batch,3] or [n,3], n samples.")]
    [InlineData("broken.npz", "cannot be read")]
    [InlineData("name.npz", "has no array 'x'; it has y")]
    [InlineData("cut-ubyte", "cut short")]
    [InlineData("bad-ubyte.gz", "gzip packing is damaged")]
    [InlineData("int-ubyte", "type 0x0c")]
    [InlineData("t.txt", "there is no vocabulary for it")]
    public void Bad_files_are_named_with_the_reason(string name, string reason)
    {
        byte[] six = Bytes<float>(1, 2, 3, 4, 5, 6);
        Write("a.bin", [1]);
        Write("short.npy", Npy("<f4", "2, 3", six[..20]));
        Write("long.npy", Npy("<f4", "2, 3", [.. six, 0]));
        Write("magic.npy", "PNG is something else"u8.ToArray());
        Write("type.npy", Npy("<c8", "2, 3", six));
        Write("order.npy", Npy("<f4", "2, 3", six, "True"));
        Write("huge.npy", Npy("<f4", "4000000000, 4000000000", six));
        Write("claim.npy", Npy("<f4", "300000000, 3", six));
        Write("shape.npy", Npy("<f4", "3, 2", six));
        Write("broken.npz", [1, 2, 3]);
        using (var archive = ZipFile.Open(Path.Combine(_folder, "name.npz"), ZipArchiveMode.Create))
        using (var s = archive.CreateEntry("y.npy").Open()) s.Write(Npy("<f4", "2, 3", six));
        Write("cut-ubyte", [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1]);
        Write("bad-ubyte.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff]);
        Write("int-ubyte", [0, 0, 12, 1, 0, 0, 0, 1]);
        Write("t.txt", "text"u8.ToArray());
        long before = GC.GetAllocatedBytesForCurrentThread();
        var e = Assert.Throws<EspalierException>(() => CalibrationData.Read(Path.Combine(_folder, name), Vector()));
        Assert.Contains(reason, e.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    [Fact]
    public void One_array_does_not_do_for_two_inputs()
    {
        string path = Write("x.npy", Npy("<f4", "2, 3", Bytes<float>(1, 2, 3, 4, 5, 6)));
        Assert.Contains("has 2 inputs: 'n:0', 'x'", Assert.Throws<EspalierException>(() => CalibrationData.Read(path, Two())).Message);
    }

    [Fact]
    public void Characters_are_numbered_by_the_alphabet_in_windows()
    {
        using var gpt = OnnxModel.Open(Assets.Path("gpt.onnx"));
        string path = Assets.Path("lm-calibration.txt");
        var samples = CalibrationData.Read(path, gpt);
        Assert.Equal(64, samples.Count);
        string alphabet = System.Text.Json.JsonSerializer.Deserialize<string>(File.ReadAllText(Assets.Path("gpt-alphabet.json")))!;
        Assert.Equal([1, 128], samples[1]["input_ids"].Shape);
        Assert.Equal(File.ReadAllText(path)[128..256],
            string.Concat(((long[])samples[1]["input_ids"].Values).Select(i => alphabet[(int)i])));

        string bad = Path.Combine(_folder, "bad.txt");
        File.WriteAllText(bad, "In the begin€ing");
        Assert.Contains("'€' (U+20AC) at 12", Assert.Throws<EspalierException>(() => CalibrationData.Read(bad, gpt)).Message);
    }

    /// <summary>The tokenisation of tests/assets/train.py, line by line.</summary>
    private static List<long> Encode(string text, Dictionary<string, long> ids, int n)
    {
        var tokens = new List<long> { ids["[CLS]"] };
        foreach (System.Text.RegularExpressions.Match m in System.Text.RegularExpressions.Regex
            .Matches(text.ToLowerInvariant(), @"[a-z]+|[^\sa-z]"))
        {
            string w = m.Value;
            for (int k = 0; k < w.Length;)
            {
                int e = w.Length;
                while (e > k && !ids.ContainsKey((k > 0 ? "##" : "") + w[k..e])) e--;
                if (e == k)
                {
                    tokens.Add(ids["[UNK]"]);
                    break;
                }
                tokens.Add(ids[(k > 0 ? "##" : "") + w[k..e]]);
                k = e;
            }
        }
        return [.. tokens.Take(n - 1), ids["[SEP]"]];
    }

    [Fact]
    public void Verses_are_encoded_as_the_network_was_trained()
    {
        using var bert = OnnxModel.Open(Assets.Path("bert.onnx"));
        string path = Assets.Path("bert-calibration.tsv");
        var samples = CalibrationData.Read(path, bert, new DataOptions { Samples = 512 });
        var lines = File.ReadAllLines(path);
        Assert.Equal(lines.Length, samples.Count);
        var ids = File.ReadLines(Assets.Path("bert-vocab.txt")).Select((w, i) => (w, (long)i)).ToDictionary(p => p.w, p => p.Item2);
        for (int i = 0; i < lines.Length; i++)
        {
            Assert.Equal(Encode(lines[i].Split('\t')[1], ids, 64), (long[])samples[i]["input_ids"].Values);
            Assert.All((long[])samples[i]["attention_mask"].Values, m => Assert.Equal(1, m));
        }
    }

    [Fact]
    public void The_network_scores_on_its_test_verses_what_its_index_says()
    {
        using var bert = OnnxModel.Open(Assets.Path("bert.onnx"));
        string path = Assets.Path("bert-test.tsv");
        var samples = CalibrationData.Read(path, bert, new DataOptions { Samples = 400 });
        var classes = File.ReadLines(path).Take(400).Select(l => int.Parse(l.Split('\t')[0])).ToList();
        using var session = Sessions.Open(bert);
        int right = samples.Zip(classes).Count(s =>
        {
            var logits = (float[])session.Run(s.First.Values)["logits"].Values;
            return Array.IndexOf(logits, logits.Max()) == s.Second;
        });
        // 0.67 on all 2,000; 400 of them have a standard error of 0.024.
        Assert.InRange(right / 400.0, 0.60, 0.74);
    }
}
