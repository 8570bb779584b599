using System.Collections.Immutable;
using System.Composition;
using Espalier.Generator.Diagnostics;
using Espalier.Generator.Planning;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.CodeFixes;

/// <summary>Fixes for mistakes in a policy whose remedy can be computed: missing modifiers, mistyped names, what is left out.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(PolicyCodeFixProvider))]
[Shared]
public sealed class PolicyCodeFixProvider : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } =
    [
        Ids.PolicyShape, Ids.NoModel, Ids.NoMatch, Ids.Inexact, Ids.NeedsCalibration, Ids.CalibrationShape, Ids.RuleShape,
        Ids.NothingDecides, Ids.NoData, Ids.DoesNothing, Ids.NameIsTaken, Ids.NoTokenizer,
    ];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        if (await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false) is not { } root) return;
        if (await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false) is not { } model) return;
        var source = new Source(context.Document, root, model);
        foreach (var diagnostic in context.Diagnostics)
        {
            var node = root.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true);
            diagnostic.Properties.TryGetValue(PolicyDiagnostics.FixKey, out var fix);
            foreach (var remedy in Remedies(diagnostic.Id, source, node, fix ?? ""))
                context.RegisterCodeFix(
                    CodeAction.Create(remedy.Title, remedy.Apply, equivalenceKey: diagnostic.Id + remedy.Title), diagnostic);
        }
    }

    private static IEnumerable<Remedy> Remedies(string id, Source source, SyntaxNode node, string fix)
    {
        var attribute = node.FirstAncestorOrSelf<AttributeSyntax>();
        var type = node.FirstAncestorOrSelf<ClassDeclarationSyntax>();
        return id switch
        {
            Ids.PolicyShape when fix.Length > 0 && type is not null => [Modifiers.OfPolicy(source, type)],
            Ids.RuleShape when fix.Length > 0 && node.FirstAncestorOrSelf<PropertyDeclarationSyntax>() is { } property
                => [Modifiers.OfRule(source, property)],
            Ids.NoModel when fix.Length > 0 && node is LiteralExpressionSyntax literal
                => [Arguments.Replace(source, literal, Arguments.Text(fix), "the model")],
            Ids.NoTokenizer when fix.Length > 0 && node is LiteralExpressionSyntax literal
                => [Arguments.Replace(source, literal, Arguments.Text(fix), "the tokenizer")],
            Ids.NoMatch when fix.Length > 0 && node is LiteralExpressionSyntax literal
                => [Arguments.Replace(source, literal, Arguments.Text(fix), "the pattern")],
            Ids.Inexact when attribute is not null
                => [Arguments.Set(source, attribute, "AllowInexact", Arguments.True, "Allow inexact pruning")],
            Ids.NothingDecides when attribute is not null && type is not null =>
            [
                Arguments.Set(source, attribute, "Keep", Arguments.Half, "Add Keep = 0.5"),
                Insertions.Attribute(source, type, "Budget", "Macs = 0.5"),
            ],
            Ids.DoesNothing when node.Parent is AttributeArgumentSyntax { NameEquals.Name: var name } && node is ExpressionSyntax whole
                => [Arguments.Replace(source, whole, Arguments.Half, name.Identifier.ValueText)],
            Ids.NeedsCalibration when type is not null => Insertions.Calibration(source, type),
            Ids.NoData when type is not null => Insertions.CalibrationWithGuard(source, type),
            Ids.CalibrationShape when fix.Length > 0 && node.FirstAncestorOrSelf<MethodDeclarationSyntax>() is { } method
                => [Modifiers.OfCalibration(source, method)],
            Ids.NameIsTaken => Names.Another(source, node),
            _ => [],
        };
    }
}
