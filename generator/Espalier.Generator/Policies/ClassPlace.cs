using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace Espalier.Generator.Policies;

/// <summary>Where a class is declared, as a plain value that finds it again in the same compilation.</summary>
internal sealed record ClassPlace(string Path, TextSpan Span)
{
    public static ClassPlace Of(SyntaxNode node) => new(node.SyntaxTree.FilePath, node.Span);

    /// <summary>The class; null where the compilation is another one.</summary>
    public INamedTypeSymbol? Find(Compilation compilation, CancellationToken cancellation)
    {
        foreach (var tree in compilation.SyntaxTrees)
        {
            if (tree.FilePath != Path || !tree.GetRoot(cancellation).FullSpan.Contains(Span)) continue;
            var node = tree.GetRoot(cancellation).FindNode(Span);
            if (compilation.GetSemanticModel(tree).GetDeclaredSymbol(node, cancellation) is INamedTypeSymbol type) return type;
        }
        return null;
    }
}
