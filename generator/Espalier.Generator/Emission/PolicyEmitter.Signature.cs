using Espalier.Generator.Collections;
using Espalier.Generator.Manifests;
using Espalier.Generator.Planning;
using Espalier.Generator.Policies;

namespace Espalier.Generator.Emission;

/// <content><c>Inputs</c>, <c>Outputs</c> and <c>Open</c>.</content>
internal sealed partial class PolicyEmitter
{
    /// <summary>C# type of an element; null where there is none. The names are those of <c>Espalier.ElementTypes</c>.</summary>
    internal static string? ElementType(string name) => name switch
    {
        "float32" => "float",
        "float64" => "double",
        "float16" => "global::System.Half",
        "bfloat16" => "ushort",
        "int8" => "sbyte",
        "int16" => "short",
        "int32" => "int",
        "int64" => "long",
        "uint8" => "byte",
        "uint16" => "ushort",
        "uint32" => "uint",
        "uint64" => "ulong",
        "bool" => "bool",
        "string" => "string",
        _ => null,
    };

    /// <summary>Whether there are <c>Inputs</c>, <c>Outputs</c> and <c>Open</c>.</summary>
    internal static bool IsTyped(ResolvedPolicy resolved) => Foreign(resolved) is null;

    private static ManifestTensor? Foreign(ResolvedPolicy resolved)
        => resolved.Inputs.Concat(resolved.Outputs).FirstOrDefault(t => ElementType(t.ElementType) is null);

    private void Signature()
    {
        if (Foreign(_resolved) is { } foreign)
        {
            _writer.Line($"// No Inputs, Outputs and Open: '{Names.Xml(foreign.Name)}' is of type {Names.Xml(foreign.ElementType)}, for "
                + "which C# has no tensor. Use Espalier.Runtime.ModelSession.");
            return;
        }
        if (Emits(GeneratedMembers.Inputs)) Inputs();
        _writer.Line();
        if (Emits(GeneratedMembers.Outputs)) Outputs();
        if (!_runtime || !new[] { GeneratedMembers.Plan, GeneratedMembers.Inputs, GeneratedMembers.Outputs }.All(Emits)) return;
        if (Emits(GeneratedMembers.Open))
            Session(GeneratedMembers.Open, "Model(Plan.Policy)", "Opens the slim model that the build wrote beside the program.");
        if (Emits(GeneratedMembers.OpenDense))
            Session(GeneratedMembers.OpenDense, "Dense(Plan.Model)",
                "Opens the dense model, where the project's OnnxModel item has CopyDense=\"true\": to compare with.");
    }

    private void Session(string name, string file, string summary)
    {
        const string Type = "global::Espalier.Runtime.ModelSession<Inputs, Outputs>";
        _writer.Line();
        _writer.Summary(summary);
        _writer.SessionOptions();
        _writer.Throws("The model cannot be opened.");
        _writer.Generated();
        _writer.Line($"public static {Type} {name}(global::Microsoft.ML.OnnxRuntime.SessionOptions? options = null)");
        _writer.Line($"    => new(global::Espalier.PolicyFiles.FullPath(global::Espalier.PolicyFiles.{file}), options);");
    }

    private void Inputs()
    {
        var names = Names.Unique(_resolved.Inputs.Select(t => t.Name), "Inputs");
        _writer.Summary($"Inputs of {Policy.ModelKey}.");
        Parameters(_resolved.Inputs, names);
        _writer.Generated();
        _writer.Line($"public sealed record Inputs({Members(_resolved.Inputs, names)}) : global::Espalier.IModelInputs");
        _writer.Open();
        _writer.Line("/// <inheritdoc/>");
        _writer.Line("public global::System.Collections.Generic.IReadOnlyList<global::Espalier.NamedTensor> ToTensors() =>");
        _writer.Line("[");
        for (var i = 0; i < names.Count; i++)
        {
            var tensor = _resolved.Inputs[i];
            _writer.Line($"    global::Espalier.NamedTensor.From({Names.Literal(tensor.Name)}, {Names.Escape(names[i])}, "
                + $"{Names.Literal(tensor.ElementType)}),");
        }
        _writer.Line("];");
        _writer.Close();
    }

    private void Outputs()
    {
        var names = Names.Unique(_resolved.Outputs.Select(t => t.Name), "Outputs");
        _writer.Summary($"Outputs of {Policy.ModelKey}.");
        Parameters(_resolved.Outputs, names);
        _writer.Generated();
        _writer.Line($"public sealed record Outputs({Members(_resolved.Outputs, names)}) : global::Espalier.IModelOutputs<Outputs>");
        _writer.Open();
        _writer.Line("/// <inheritdoc/>");
        _writer.Line("public static Outputs FromTensors(global::System.Collections.Generic.IReadOnlyDictionary<string, "
            + "global::Espalier.NamedTensor> tensors)");
        var arguments = _resolved.Outputs.Select(t => $"tensors[{Names.Literal(t.Name)}].As<{ElementType(t.ElementType)}>()");
        _writer.Line($"    => new({string.Join(", ", arguments)});");
        _writer.Close();
    }

    private void Parameters(EquatableArray<ManifestTensor> tensors, List<string> names)
    {
        for (var i = 0; i < names.Count; i++)
            _writer.Parameter(names[i], $"{tensors[i].Name}: {tensors[i].ElementType} {Shape(tensors[i])}");
    }

    private static string Members(EquatableArray<ManifestTensor> tensors, List<string> names)
        => string.Join(", ",
            tensors.Select((t, i) => $"global::Espalier.TensorData<{ElementType(t.ElementType)}> {Names.Escape(names[i])}"));

    private static string Shape(ManifestTensor tensor)
        => tensor.Dims.Count == 1 && tensor.Dims[0] == "*"
            ? "of any shape"
            : "[" + string.Join(", ", tensor.Dims.Select(d => d[0] == '?' ? (d.Length > 1 ? d.Substring(1) : "?") : d)) + "]";
}
