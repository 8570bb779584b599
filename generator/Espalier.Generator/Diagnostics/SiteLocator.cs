using Espalier.Generator.Planning;
using Espalier.Generator.Policies;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.Generator.Diagnostics;

/// <summary>Finds what a finding is about in the source.</summary>
internal static class SiteLocator
{
    /// <summary>The argument, the attribute where it is not written, or the name of the member; the class's where all fail.</summary>
    public static Location Find(INamedTypeSymbol type, AttributeSite site, CancellationToken cancellation)
    {
        if (site.Attribute.Length == 0)
        {
            var member = GeneratedMembers.CollidingIn(type)
                .FirstOrDefault(m => site.Member.Length > 0 ? m.Name == site.Member : m is INamedTypeSymbol t && t.Name == type.Name);
            return NameOf(member ?? type);
        }
        var members = site.Member.Length == 0 ? [type] : type.GetMembers(site.Member).Cast<ISymbol>();
        foreach (var member in members)
        {
            var attributes = member.GetAttributes().Where(a => PolicyReader.Is(a, site.Attribute)).ToList();
            if (site.Index < attributes.Count
                && attributes[site.Index].ApplicationSyntaxReference?.GetSyntax(cancellation) is AttributeSyntax syntax)
                return (Argument(syntax, attributes[site.Index], site.Argument) ?? (SyntaxNode)syntax).GetLocation();
        }
        return NameOf(type);
    }

    private static Location NameOf(ISymbol symbol) => symbol.Locations.FirstOrDefault(l => l.IsInSource) ?? Location.None;

    private static ExpressionSyntax? Argument(AttributeSyntax syntax, AttributeData attribute, string names)
    {
        if (syntax.ArgumentList is not { } list) return null;
        foreach (var name in names.Split(' '))
        {
            var position = 0;
            foreach (var argument in list.Arguments)
            {
                var written = argument.NameEquals?.Name.Identifier.ValueText ?? argument.NameColon?.Name.Identifier.ValueText;
                if (written is null && attribute.AttributeConstructor is { } constructor && position < constructor.Parameters.Length)
                    written = constructor.Parameters[position].Name;
                if (written == name) return argument.Expression;
                position++;
            }
        }
        return null;
    }
}
