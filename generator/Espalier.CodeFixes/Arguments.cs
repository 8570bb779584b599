using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.CodeFixes;

/// <summary>Arguments of attributes.</summary>
internal static class Arguments
{
    public static LiteralExpressionSyntax True => SyntaxFactory.LiteralExpression(SyntaxKind.TrueLiteralExpression);

    public static LiteralExpressionSyntax Half
        => SyntaxFactory.LiteralExpression(SyntaxKind.NumericLiteralExpression, SyntaxFactory.Literal("0.5", 0.5));

    public static LiteralExpressionSyntax Text(string value)
        => SyntaxFactory.LiteralExpression(SyntaxKind.StringLiteralExpression, SyntaxFactory.Literal(value));

    /// <summary>Puts a value in another's place; the title names it as <paramref name="what"/>.</summary>
    public static Remedy Replace(Source source, ExpressionSyntax old, LiteralExpressionSyntax value, string what)
        => source.Change($"Change {what} to {value}", root => root.ReplaceNode(old, value.WithTriviaFrom(old)));

    /// <summary>Sets a named argument, which may be there.</summary>
    public static Remedy Set(Source source, AttributeSyntax attribute, string argument, LiteralExpressionSyntax value, string title)
        => source.Change(title, root => root.ReplaceNode(attribute, With(attribute, argument, value)));

    private static AttributeSyntax With(AttributeSyntax attribute, string argument, LiteralExpressionSyntax value)
    {
        if (attribute.ArgumentList?.Arguments.FirstOrDefault(a => a.NameEquals?.Name.Identifier.Text == argument) is { } old)
            return attribute.ReplaceNode(old.Expression, value);
        var name = SyntaxFactory.NameEquals(SyntaxFactory.IdentifierName(argument).WithTrailingTrivia(SyntaxFactory.Space))
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
