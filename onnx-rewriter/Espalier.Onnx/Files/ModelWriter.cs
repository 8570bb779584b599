using Espalier.Onnx.Payloads;
using Espalier.Onnx.Wire;
using Google.Protobuf;

namespace Espalier.Onnx.Files;

/// <summary>How a model is written.</summary>
internal sealed record OnnxSaveOptions
{
    /// <summary>
    /// Whether large initializers go to a second file, named like the model with a hash of its content and <c>.data</c>
    /// appended. Null: when the model had such files, or when it would be larger than the 2 GiB that protobuf can read.
    /// </summary>
    public bool? ExternalData { get; init; }

    /// <summary>
    /// Bytes from which on an initializer goes to the second file. Each begins there at a multiple of 64 KiB, so that it can be
    /// mapped on every operating system; smaller ones would be mostly padding.
    /// </summary>
    public long ExternalThreshold { get; init; } = ExternalLayout.Alignment;
}

/// <summary>A model ready to be written: its messages with tokens, and what stands for each.</summary>
internal sealed class ModelWriter
{
    private readonly byte[] _skeleton;
    private readonly SplicePlan? _plan;
    private readonly PayloadTable _payloads;
    private readonly ByteSource? _verbatim;

    /// <param name="proto">The messages; no tensor of them is in another file, except as it is to be written.</param>
    /// <param name="payloads">What their tokens stand for.</param>
    /// <param name="unchangedOf">The store whose file is copied as it is when these are its messages.</param>
    public ModelWriter(ModelProto proto, PayloadTable payloads, ModelStore? unchangedOf, CancellationToken ct)
    {
        _skeleton = proto.ToByteArray();
        _payloads = payloads;
        if (unchangedOf is not null && unchangedOf.IsUnchanged(_skeleton))
        {
            _verbatim = unchangedOf.Whole;
            Length = _verbatim!.Length;
            return;
        }
        _plan = WireScanner.FindTokens(_skeleton, token => payloads[token].Source.Length, ct);
        Length = _plan.NewLength;
    }

    /// <summary>A writer of a model as one file.</summary>
    public static ModelWriter Whole(ModelProto proto, ModelStore store, CancellationToken ct)
    {
        if (!ModelTensors.Enumerate(proto).Any(place => ExternalFiles.IsExternal(place.Tensor)))
        {
            return new(proto, store.Payloads, store, ct);
        }
        var (inlined, payloads) = ExternalLayout.Inline(proto, store);
        return new(inlined, payloads, null, ct);
    }

    /// <summary>Bytes that will be written.</summary>
    public long Length { get; }

    /// <summary>Whether protobuf can read the result.</summary>
    public bool FitsOneFile => Length <= int.MaxValue;

    /// <exception cref="NotSupportedException">The result is more than protobuf can read.</exception>
    public ModelWriter RequireOneFile() => FitsOneFile ? this
        : throw new NotSupportedException(
            $"The model has {Length} bytes, and one file holds at most {int.MaxValue}. Save it to a path with external data.");

    public void WriteTo(Stream destination, CancellationToken ct)
    {
        using var stream = new CheckedStream(destination, ct);
        if (_plan is null)
        {
            stream.WritePayload(_verbatim!);
            return;
        }
        _plan.Emit(_skeleton, stream.Write, splice => stream.WritePayload(_payloads[splice.Token].Source));
    }

    /// <summary>
    /// Writes a model to a path, with a second file where it needs one; all of it, and what else is to appear with it, or nothing.
    /// </summary>
    /// <returns>Names of the files, the model's own first.</returns>
    public static IReadOnlyList<string> Save(ModelProto proto, ModelStore store, string path, OnnxSaveOptions options,
        OutputFiles output, CancellationToken ct)
    {
        var (folder, name) = (Path.GetDirectoryName(Path.GetFullPath(path))!, Path.GetFileName(path));
        var before = OutputFiles.Beside(folder, f => IsSidecar(f, name));
        var (writer, layout) = Plan(proto, store, path, options, ct);
        writer.RequireOneFile();
        var written = new List<string> { name };
        if (layout?.Parts.Count > 0)
        {
            string hash;
            using (var stream = output.Create(path + DataExtension)) hash = layout.WriteTo(stream, ct);
            written.Add(Sidecar(name, hash));
            output.NameAfterContent(Path.Combine(folder, written[1]));
            layout.Place(written[1]);
            writer = new ModelWriter(layout.Proto, layout.Payloads, null, ct);
        }
        using (var stream = output.Create(path))
        {
            writer.WriteTo(stream, ct);
        }
        ct.ThrowIfCancellationRequested();
        output.Commit();
        // What the main file named until now; no file of that name says what else is in the folder.
        foreach (string left in before.Where(f => !written.Contains(Path.GetFileName(f)))) OutputFiles.DeleteQuietly(left);
        return written;
    }

    /// <summary>Bytes of the files that <see cref="Save"/> would write.</summary>
    public static long LengthOf(ModelProto proto, ModelStore store, string path, OnnxSaveOptions options, CancellationToken ct)
    {
        var (writer, layout) = Plan(proto, store, path, options, ct);
        return writer.Length + (layout?.Length ?? 0);
    }

    private const string DataExtension = ".data";

    /// <summary>
    /// The second file's name says what is in it, so that it can be there before the main file that goes with it and beside the one that
    /// goes with another: the main file's rename changes both at once.
    /// </summary>
    private static string Sidecar(string name, string hash) => $"{name}.{hash}{DataExtension}";

    private static bool IsSidecar(string file, string name)
        => file.Length == Sidecar(name, ExternalLayout.NoHash).Length && file.StartsWith(name + ".", StringComparison.Ordinal)
            && file.EndsWith(DataExtension, StringComparison.Ordinal)
            && file.AsSpan(name.Length + 1, ExternalLayout.NoHash.Length).ContainsAnyExcept("0123456789abcdef") is false;

    /// <summary>The main file, and what goes into the one beside it; null without one.</summary>
    private static (ModelWriter Main, ExternalLayout? Beside) Plan(ModelProto proto, ModelStore store, string path, OnnxSaveOptions options,
        CancellationToken ct)
    {
        var whole = options.ExternalData ?? store.HadExternal ? null : Whole(proto, store, ct);
        if (whole is not null && (whole.FitsOneFile || options.ExternalData is not null))
        {
            return (whole, null);
        }
        var layout = ExternalLayout.Create(proto, store, Sidecar(Path.GetFileName(path), ExternalLayout.NoHash), options.ExternalThreshold);
        return (new ModelWriter(layout.Proto, layout.Payloads, null, ct), layout);
    }
}
