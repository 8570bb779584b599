using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Rename;

namespace Espalier.CodeFixes;

/// <summary>Names that are taken.</summary>
internal static class Names
{
    /// <summary>Renames what is declared, and whatever refers to it.</summary>
    public static IEnumerable<Remedy> Another(Source source, SyntaxNode declaration)
    {
        if (source.Model.GetDeclaredSymbol(declaration) is not { } symbol) yield break;
        var name = Unused(symbol.ContainingType, symbol is IPropertySymbol ? symbol.Name + "Rule" : "Own" + symbol.Name);
        yield return new($"Rename to {name}", cancellation =>
            Renamer.RenameSymbolAsync(source.Document.Project.Solution, symbol, new SymbolRenameOptions(), name, cancellation));
    }

    /// <summary>A name that no member of a type has.</summary>
    public static string Unused(INamedTypeSymbol? type, string wanted)
    {
        var name = wanted;
        for (var n = 2; type?.GetMembers(name).IsEmpty == false; n++) name = FormattableString.Invariant($"{wanted}{n}");
        return name;
    }
}
