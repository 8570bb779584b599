using Espalier.Generator.Collections;
using Espalier.Generator.Manifests;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Planning;

/// <summary>Whether a policy with <c>[Images]</c> is for a model of images, and the form of its input.</summary>
internal static class ImageChecks
{
    /// <summary>Reports what does not go with the attribute.</summary>
    public static void Check(PolicyModel policy, Manifest? manifest, Findings findings)
    {
        if (policy.Images is not { } images) return;
        var site = AttributeSite.OfClass(nameof(ImagesAttribute));
        findings.CheckAtLeast(site, nameof(ImagesAttribute.Width), images.Width, 1);
        findings.CheckAtLeast(site, nameof(ImagesAttribute.Height), images.Height, 1);
        foreach (var mean in images.Mean)
            if (!IsFinite(mean))
                findings.Add(Ids.OutOfRange, site.At(nameof(ImagesAttribute.Mean)), nameof(ImagesAttribute.Mean), PolicyChecks.Number(mean),
                    "finite");
        foreach (var deviation in images.Deviation)
            if (!IsPositive(deviation))
                findings.Add(Ids.OutOfRange, site.At(nameof(ImagesAttribute.Deviation)), nameof(ImagesAttribute.Deviation),
                    PolicyChecks.Number(deviation), "above 0");
        if (manifest is not null && Fault(images, manifest.Inputs) is { } fault)
            findings.DoesNotFit(site, "[Images]", $"the model '{policy.ModelKey}'", fault);
    }

    /// <summary>The form of the model's images; null where the code for them cannot be written.</summary>
    public static ImageShape? ShapeOf(ResolvedPolicy policy)
        => policy is { HasModel: true, Policy.Images: { } images } && Fault(images, policy.Inputs) is null
            && images is { Width: > 0, Height: > 0 } && images.Mean.All(IsFinite) && images.Deviation.All(IsPositive)
            ? Shape(images, policy.Inputs[0])
            : null;

    private static bool IsFinite(double value) => !double.IsNaN(value) && !double.IsInfinity(value);

    private static bool IsPositive(double value) => value > 0 && IsFinite(value);

    private static string? Fault(ImagesModel images, EquatableArray<ManifestTensor> inputs)
    {
        if (inputs.Count != 1) return $"It has {inputs.Count} inputs; images are made for models with one";
        var input = inputs[0];
        if (input.ElementType is not ("float32" or "float64" or "float16" or "uint8") || Shape(images, input) is not { } shape)
            return $"Its input '{input.Name}' is not [1 or open, channels, height, width] or [1 or open, height, width, channels] with 1 "
                + "or 3 channels, of floating-point numbers or uint8";
        var given = new[] { (nameof(images.Mean), images.Mean.Count), (nameof(images.Deviation), images.Deviation.Count) };
        foreach (var (name, count) in given)
            if (count > 1 && count != shape.Channels)
                return $"{name} has {count} numbers for {shape.Channels} channels; give one, or one per channel";
        return input.ElementType == "uint8" && images.Mean.Count + images.Deviation.Count > 0
            ? "It takes bytes from 0 to 255, which have neither Mean nor Deviation"
            : null;
    }

    private static ImageShape? Shape(ImagesModel images, ManifestTensor input)
    {
        if (input.Dims.Count != 4 || !(input.Dims[0] == "1" || input.Dims[0][0] == '?')) return null;
        var last = input.Dims[1] is not ("1" or "3");
        if (last && input.Dims[3] is not ("1" or "3")) return null;
        int Side(int axis, int open) => int.TryParse(input.Dims[axis], out var size) && size > 0 ? size : open;
        return new(input.ElementType, Side(last ? 2 : 3, images.Width), Side(last ? 1 : 2, images.Height),
            input.Dims[last ? 3 : 1] == "1" ? 1 : 3, last);
    }
}

/// <summary>What a model wants of images.</summary>
internal sealed record ImageShape(string ElementType, int Width, int Height, int Channels, bool ChannelsLast);
