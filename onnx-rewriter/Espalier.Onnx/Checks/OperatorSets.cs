using Espalier.Onnx.Limits;

namespace Espalier.Onnx.Checks;

/// <summary>The operator sets that a model or a function imports: which version of an operator a node means.</summary>
internal sealed class OperatorSets
{
    // Domains of operators that ONNX Runtime brings along; it needs no import of them and takes their newest set.
    private static readonly string[] Known =
        ["ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "ai.onnx.training", "com.microsoft", "com.microsoft.experimental",
            "com.microsoft.nchwc", "com.ms.internal.nhwc"];

    private readonly Dictionary<string, long> _versions = new(StringComparer.Ordinal);
    private readonly CheckFaults _faults;
    private readonly bool _isModel;

    private OperatorSets(IEnumerable<OperatorSetIdProto> imports, bool isModel, string place, CheckFaults faults)
    {
        (_isModel, _faults) = (isModel, faults);
        foreach (var import in imports)
        {
            var domain = OperatorSchemas.Domain(import.Domain);
            if (!_versions.TryAdd(domain, import.Version) && _versions[domain] != import.Version)
            {
                // ONNX Runtime takes the last one, other tools the first.
                throw faults.Fault(
                    $"the domain '{import.Domain}' is imported twice{place}, as operator set {_versions[domain]} and as {import.Version}",
                    "Leave the import that the nodes were written for.");
            }
            if (import.Version < 1 && OperatorSchemas.Newest(domain) is not null)
            {
                throw faults.Fault($"operator set {import.Version} of the domain '{import.Domain}' is imported{place}, and there is none",
                    "Operator sets count from 1; export the model again.");
            }
        }
    }

    public static OperatorSets From(ModelProto model, CheckFaults faults) => new(model.OpsetImport, true, "", faults);

    public static OperatorSets From(FunctionProto function, CheckFaults faults)
        => new(function.OpsetImport, false, $" by function '{NodeText.Format(function)}'", faults);

    /// <summary>The operator set that gives the node its meaning.</summary>
    /// <param name="place">Where it is, as the end of a sentence; asked for only when something is wrong.</param>
    /// <exception cref="OnnxFormatException">Nothing says which.</exception>
    public long Version(NodeProto node, Func<string> place)
    {
        var domain = OperatorSchemas.Domain(node.Domain);
        if (_versions.TryGetValue(domain, out var version))
        {
            return version;
        }
        if (_isModel && _versions.Count > 0 && Known.Contains(domain))
        {
            return OperatorSchemas.Newest(domain) ?? 1;
        }
        var named = domain.Length > 0 ? domain : "ai.onnx";
        throw _faults.Fault($"{NodeText.Format(node)}{place()} is of the domain '{named}', of which no operator set is imported",
            "Import the operator set that the node was written for.");
    }
}
