using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace Espalier.CodeFixes;

/// <summary>One way to mend a mistake.</summary>
/// <param name="Title">What the editor shows.</param>
/// <param name="Apply">The solution with the mistake mended.</param>
internal sealed record Remedy(string Title, Func<CancellationToken, Task<Solution>> Apply);

/// <summary>The document that has the mistake.</summary>
internal sealed record Source(Document Document, SyntaxNode Root, SemanticModel Model)
{
    /// <summary>A remedy that changes the syntax.</summary>
    public Remedy Change(string title, Func<SyntaxNode, SyntaxNode> change)
        => new(title, _ => Task.FromResult(Document.WithSyntaxRoot(change(Root)).Project.Solution));

    /// <summary>A remedy that inserts text.</summary>
    public Remedy Insert(string title, Func<SourceText, IEnumerable<TextChange>> changes)
        => new(title, async cancellation =>
        {
            var text = await Document.GetTextAsync(cancellation).ConfigureAwait(false);
            return Document.WithText(text.WithChanges(changes(text))).Project.Solution;
        });
}
