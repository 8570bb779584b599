using System.Collections.Immutable;
using System.Composition;
using Espalier.Generator.Diagnostics;
using Espalier.Generator.Planning;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.CodeFixes;

/// <summary>Fixes for mistakes in a policy that have one obvious remedy: missing modifiers, a mistyped pattern, an inexact group.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(PolicyCodeFixProvider))]
[Shared]
public sealed class PolicyCodeFixProvider : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Ids.PolicyShape, Ids.RuleShape, Ids.NoMatch, Ids.Inexact];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        if (await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false) is not { } root) return;
        foreach (var diagnostic in context.Diagnostics)
        {
            if (!diagnostic.Properties.TryGetValue(PolicyDiagnostics.FixKey, out var fix) || fix is null) continue;
            if (root.FindNode(diagnostic.Location.SourceSpan).FirstAncestorOrSelf<AttributeSyntax>() is not { } attribute) continue;
            if (Change(diagnostic.Id, attribute, fix) is not ({ } title, { } change)) continue;
            context.RegisterCodeFix(
                CodeAction.Create(title, _ => Task.FromResult(context.Document.WithSyntaxRoot(change(root))),
                    equivalenceKey: diagnostic.Id + fix),
                diagnostic);
        }
    }

    private static (string Title, Func<SyntaxNode, SyntaxNode> Change)? Change(string id, AttributeSyntax attribute, string fix)
        => id switch
        {
            Ids.PolicyShape when attribute.FirstAncestorOrSelf<ClassDeclarationSyntax>() is { } type
                => ("Make the policy static partial", root => Classes(root, type)),
            Ids.RuleShape when attribute.FirstAncestorOrSelf<PropertyDeclarationSyntax>() is { } property
                => ("Make the rule static partial", root => root.ReplaceNode(property, Property(property))),
            Ids.NoMatch when PatternOf(attribute) is { } pattern
                => ($"Change the pattern to \"{fix}\"", root => root.ReplaceNode(pattern, Literal(fix).WithTriviaFrom(pattern))),
            Ids.Inexact => ("Allow inexact pruning", root => root.ReplaceNode(attribute, AllowInexact(attribute))),
            _ => null,
        };

    /// <summary>The policy gets both modifiers, the types round it get <c>partial</c>.</summary>
    private static SyntaxNode Classes(SyntaxNode root, ClassDeclarationSyntax policy)
    {
        var types = policy.AncestorsAndSelf().OfType<TypeDeclarationSyntax>().ToList();
        return root.ReplaceNodes(types, (original, rewritten) => original == policy
            ? With(rewritten, SyntaxKind.StaticKeyword, SyntaxKind.PartialKeyword)
            : With(rewritten, SyntaxKind.PartialKeyword));
    }

    private static TypeDeclarationSyntax With(TypeDeclarationSyntax type, params SyntaxKind[] kinds)
    {
        if (type.Modifiers.Count > 0) return (TypeDeclarationSyntax)type.WithModifiers(Add(type.Modifiers, kinds));
        // The first modifier takes over what stands before the keyword.
        var trivia = type.Keyword.LeadingTrivia;
        var modifiers = Add(default, kinds);
        modifiers = modifiers.Replace(modifiers[0], modifiers[0].WithLeadingTrivia(trivia));
        return (TypeDeclarationSyntax)type.WithKeyword(type.Keyword.WithLeadingTrivia()).WithModifiers(modifiers);
    }

    private static PropertyDeclarationSyntax Property(PropertyDeclarationSyntax property)
    {
        if (property.Modifiers.Count > 0)
            return property.WithModifiers(Add(property.Modifiers, SyntaxKind.StaticKeyword, SyntaxKind.PartialKeyword));
        var trivia = property.Type.GetLeadingTrivia();
        var modifiers = Add(default, SyntaxKind.StaticKeyword, SyntaxKind.PartialKeyword);
        modifiers = modifiers.Replace(modifiers[0], modifiers[0].WithLeadingTrivia(trivia));
        return property.WithType(property.Type.WithoutLeadingTrivia()).WithModifiers(modifiers);
    }

    /// <summary>Adds what is missing; <c>partial</c> must come last.</summary>
    private static SyntaxTokenList Add(SyntaxTokenList modifiers, params SyntaxKind[] kinds)
    {
        foreach (var kind in kinds)
        {
            if (modifiers.Any(kind)) continue;
            var token = SyntaxFactory.Token(kind).WithTrailingTrivia(SyntaxFactory.Space);
            var partial = modifiers.IndexOf(SyntaxKind.PartialKeyword);
            if (partial < 0)
            {
                modifiers = modifiers.Add(token);
                continue;
            }
            if (partial == 0)
            {
                token = token.WithLeadingTrivia(modifiers[0].LeadingTrivia);
                modifiers = modifiers.Replace(modifiers[0], modifiers[0].WithLeadingTrivia());
            }
            modifiers = modifiers.Insert(partial, token);
        }
        return modifiers;
    }

    /// <summary>The first string among the arguments: the pattern of [Prune], [Drop] and [Protect].</summary>
    private static ExpressionSyntax? PatternOf(AttributeSyntax attribute)
        => attribute.ArgumentList?.Arguments.FirstOrDefault(a => a.NameEquals is null
            && a.Expression.IsKind(SyntaxKind.StringLiteralExpression))?.Expression;

    private static LiteralExpressionSyntax Literal(string value)
        => SyntaxFactory.LiteralExpression(SyntaxKind.StringLiteralExpression, SyntaxFactory.Literal(value));

    private static AttributeSyntax AllowInexact(AttributeSyntax attribute)
    {
        var value = SyntaxFactory.LiteralExpression(SyntaxKind.TrueLiteralExpression);
        if (attribute.ArgumentList?.Arguments.FirstOrDefault(a => a.NameEquals?.Name.Identifier.Text == "AllowInexact") is { } argument)
            return attribute.ReplaceNode(argument.Expression, value);
        var name = SyntaxFactory.NameEquals(SyntaxFactory.IdentifierName("AllowInexact").WithTrailingTrivia(SyntaxFactory.Space))
            .WithEqualsToken(SyntaxFactory.Token(SyntaxKind.EqualsToken).WithTrailingTrivia(SyntaxFactory.Space));
        var added = SyntaxFactory.AttributeArgument(name, null, value);
        var list = attribute.ArgumentList ?? SyntaxFactory.AttributeArgumentList();
        var arguments = list.Arguments;
        arguments = arguments.Count == 0
            ? arguments.Add(added)
            : SyntaxFactory.SeparatedList(arguments.Append(added), arguments.GetSeparators()
                .Append(SyntaxFactory.Token(SyntaxKind.CommaToken).WithTrailingTrivia(SyntaxFactory.Space)));
        return attribute.WithArgumentList(list.WithArguments(arguments));
    }
}
