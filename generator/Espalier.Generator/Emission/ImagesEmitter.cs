using Espalier.Generator.Planning;
using Espalier.Generator.Policies;

namespace Espalier.Generator.Emission;

/// <summary>What a policy with <c>[Images]</c> gets where the project references Espalier.Extensions.Images.</summary>
internal static class ImagesEmitter
{
    private const string Type = "global::Espalier.Extensions.Images.ImageInput";

    /// <summary>The file; null where the policy has no such attribute, or one that does not go with its model.</summary>
    public static string? Emit(ResolvedPolicy resolved)
    {
        if (ImageChecks.ShapeOf(resolved) is not { } shape || resolved.Policy.Colliding.Count > 0
            || !PolicyEmitter.IsTyped(resolved)) return null;
        return PolicyFrame.Part(resolved.Policy, writer =>
        {
            Form(writer, shape, resolved.Policy.Images!);
            Inputs(writer, shape);
        });
    }

    private static void Form(SourceWriter writer, ImageShape shape, ImagesModel images)
    {
        static string Numbers(IEnumerable<double> values) => $"[{string.Join(", ", values.Select(PolicyChecks.Number))}]";
        writer.Summary("What the model wants of images.");
        writer.Generated();
        writer.Line(FormattableString.Invariant(
            $"public static {Type} Images {{ get; }} = new(width: {shape.Width}, height: {shape.Height}, channels: {shape.Channels})"));
        writer.Open();
        if (shape.ChannelsLast) writer.Line("ChannelsLast = true,");
        if (shape.ElementType == "uint8") writer.Line("IsRaw = true,");
        if (images.Mean.Count > 0) writer.Line($"Mean = {Numbers(images.Mean)},");
        if (images.Deviation.Count > 0) writer.Line($"Deviation = {Numbers(images.Deviation)},");
        writer.Close(";");
        writer.Line();
    }

    private static void Inputs(SourceWriter writer, ImageShape shape)
    {
        var element = PolicyEmitter.ElementType(shape.ElementType);
        writer.Summary("Inputs of the model from a file: PNG, JPEG or BMP. The decoder is not memory-safe: read images that you trust.");
        writer.Parameter("path", "The file.");
        writer.Throws("It is no image that can be read.");
        writer.Generated();
        writer.Line($"public static Inputs FromImage(string path) => new(Images.FromFile<{element}>(path));");
        writer.Line();
        writer.Summary("Inputs of the model from pixels.");
        var colours = shape.Channels == 1 ? "grey" : "interleaved red, green, blue";
        writer.Parameter("pixels", $"Rows of {colours}, 8 bits each.");
        writer.Parameter("width", "Pixels of a row.");
        writer.Parameter("height", "Rows.");
        writer.Throws("There are more or fewer bytes than that.");
        writer.Generated();
        writer.Line("public static Inputs FromPixels(global::System.ReadOnlySpan<byte> pixels, int width, int height)");
        writer.Line($"    => new(Images.FromPixels<{element}>(pixels, width, height));");
    }
}
