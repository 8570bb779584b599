using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Espalier.Cli.Building;

/// <summary>
/// Reads the plans that the generator put into a compiled assembly, without loading it: no user code runs, and any target
/// framework will do.
/// </summary>
internal static class PlanReader
{
    /// <summary>The plans in the order of the policies' names.</summary>
    /// <param name="assembly">Path of the assembly.</param>
    public static IReadOnlyList<PruningPlan> Read(string assembly)
    {
        using var file = new PEReader(FolderLock.OpenRead(assembly));
        var metadata = file.GetMetadataReader();
        var entries = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var handle in metadata.GetAssemblyDefinition().GetCustomAttributes())
        {
            var attribute = metadata.GetCustomAttribute(handle);
            if (!IsAssemblyMetadata(metadata, attribute)) continue;
            var value = metadata.GetBlobReader(attribute.Value);
            value.ReadUInt16(); // prolog
            if (value.ReadSerializedString() is { } key && value.ReadSerializedString() is { } text) entries[key] = text;
        }
        return [.. entries.Where(e => e.Key.StartsWith(PolicyFiles.PlanKey, StringComparison.Ordinal)).Select(e =>
        {
            var policy = e.Key[PolicyFiles.PlanKey.Length..];
            var plan = entries.TryGetValue(PolicyFiles.LocationsKey + policy, out var locations)
                ? PlanJson.Parse(e.Value, locations)
                : PlanJson.Parse(e.Value);
            return plan with { Policy = policy };
        })];
    }

    private static bool IsAssemblyMetadata(MetadataReader metadata, CustomAttribute attribute)
    {
        if (attribute.Constructor.Kind != HandleKind.MemberReference) return false;
        var type = metadata.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent;
        if (type.Kind != HandleKind.TypeReference) return false;
        var reference = metadata.GetTypeReference((TypeReferenceHandle)type);
        return metadata.StringComparer.Equals(reference.Name, "AssemblyMetadataAttribute")
            && metadata.StringComparer.Equals(reference.Namespace, "System.Reflection");
    }
}
