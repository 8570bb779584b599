using System.Collections;
using System.Diagnostics;
using Espalier.Onnx;
using Google.Protobuf;

namespace Espalier.Fuzz;

/// <summary>A file that ends as another does and has less in it, as far as some seconds go.</summary>
internal static class Shrinking
{
    public static byte[] Shrink(byte[] bytes, string key, TimeSpan most)
    {
        var watch = Stopwatch.StartNew();
        bool Same(byte[] smaller) => watch.Elapsed < most && smaller.Length > 0 && Passage.Check(smaller).Key == key;
        try
        {
            var model = ModelProto.Parser.ParseFrom(bytes);
            if (model.Graph is not null && Same(model.ToByteArray())) return Parts(model, Same).ToByteArray();
        }
        catch (InvalidProtocolBufferException)
        {
            // Its bytes are at fault.
        }
        return Pieces(bytes, Same);
    }

    private static ModelProto Parts(ModelProto model, Func<byte[], bool> same)
    {
        bool smaller;
        do
        {
            smaller = false;
            foreach (var list in (Func<ModelProto, IList>[])[m => m.Graph.Node, m => m.Graph.ValueInfo, m => m.Functions, m
                => m.Graph.Initializer, m => m.Graph.Input, m => m.Graph.Output, m => m.MetadataProps])
            {
                for (int size = Math.Max(1, list(model).Count / 2); ; size /= 2)
                {
                    for (int at = list(model).Count - size; at >= 0; at -= size)
                    {
                        var candidate = model.Clone();
                        for (int k = 0; k < size; k++) list(candidate).RemoveAt(at);
                        if (!same(candidate.ToByteArray())) continue;
                        (model, smaller) = (candidate, true);
                        at = Math.Min(at, list(model).Count);
                    }
                    if (size <= 1) break;
                }
            }
        }
        while (smaller);
        return model;
    }

    private static byte[] Pieces(byte[] bytes, Func<byte[], bool> same)
    {
        for (int size = bytes.Length / 2; size > 0; size /= 2)
        {
            for (int at = bytes.Length - size; at >= 0; at -= size)
            {
                if (at + size > bytes.Length) continue;
                byte[] candidate = [.. bytes.AsSpan(0, at), .. bytes.AsSpan(at + size)];
                if (same(candidate)) bytes = candidate;
            }
        }
        return bytes;
    }
}
