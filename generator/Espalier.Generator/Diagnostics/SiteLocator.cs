using Espalier.Generator.Planning;
using Espalier.Generator.Policies;
using Microsoft.CodeAnalysis;

namespace Espalier.Generator.Diagnostics;

/// <summary>Finds the attribute that a finding is about in the source.</summary>
internal static class SiteLocator
{
    /// <summary>The attribute's span; the class's name where it cannot be found.</summary>
    public static Location Find(INamedTypeSymbol type, AttributeSite site, CancellationToken cancellation)
    {
        var members = site.Member.Length == 0 ? [type] : type.GetMembers(site.Member).Cast<ISymbol>();
        foreach (var member in members)
        {
            var attributes = member.GetAttributes().Where(a => PolicyReader.Is(a, site.Attribute)).ToList();
            if (site.Index < attributes.Count && attributes[site.Index].ApplicationSyntaxReference is { } reference)
                return reference.GetSyntax(cancellation).GetLocation();
        }
        return type.Locations.FirstOrDefault(l => l.IsInSource) ?? Location.None;
    }
}
