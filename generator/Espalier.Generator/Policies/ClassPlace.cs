using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.Generator.Policies;

/// <summary>Where a class is declared: a plain value that finds it again, and that an edit of its body leaves alone.</summary>
/// <param name="Path">Path of the file.</param>
/// <param name="Position">Where its name starts.</param>
internal sealed record ClassPlace(string Path, int Position)
{
    public static ClassPlace Of(ClassDeclarationSyntax node) => new(node.SyntaxTree.FilePath, node.Identifier.SpanStart);

    /// <summary>The class; null where the compilation is another one.</summary>
    public INamedTypeSymbol? Find(Compilation compilation, CancellationToken cancellation)
    {
        foreach (var tree in compilation.SyntaxTrees)
        {
            if (tree.FilePath != Path || tree.Length <= Position) continue;
            if (tree.GetRoot(cancellation).FindToken(Position).Parent is ClassDeclarationSyntax node
                && compilation.GetSemanticModel(tree).GetDeclaredSymbol(node, cancellation) is INamedTypeSymbol type) return type;
        }
        return null;
    }
}
