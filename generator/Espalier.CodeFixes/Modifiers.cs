using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.CodeFixes;

/// <summary>Modifiers and signatures of policies, rules and calibration methods.</summary>
internal static class Modifiers
{
    /// <summary>The policy gets both modifiers, the types round it get <c>partial</c>.</summary>
    public static Remedy OfPolicy(Source source, ClassDeclarationSyntax policy)
        => source.Change("Make the policy static partial", root => root.ReplaceNodes(
            policy.AncestorsAndSelf().OfType<TypeDeclarationSyntax>(), (original, rewritten) => original == policy
                ? With(rewritten, SyntaxKind.StaticKeyword, SyntaxKind.PartialKeyword)
                : With(rewritten, SyntaxKind.PartialKeyword)));

    public static Remedy OfRule(Source source, PropertyDeclarationSyntax rule)
        => source.Change("Make the rule static partial", root => root.ReplaceNode(rule, Property(rule)));

    public static Remedy OfCalibration(Source source, MethodDeclarationSyntax method)
        => source.Change("Correct the signature", root => root.ReplaceNode(method, Method(method)));

    private static TypeDeclarationSyntax With(TypeDeclarationSyntax type, params SyntaxKind[] kinds)
        => type.Modifiers.Count > 0
            ? (TypeDeclarationSyntax)type.WithModifiers(Add(type.Modifiers, kinds))
            : (TypeDeclarationSyntax)type.WithKeyword(type.Keyword.WithLeadingTrivia())
                .WithModifiers(First(type.Keyword.LeadingTrivia, kinds));

    private static PropertyDeclarationSyntax Property(PropertyDeclarationSyntax property)
    {
        SyntaxKind[] kinds = [SyntaxKind.StaticKeyword, SyntaxKind.PartialKeyword];
        return property.Modifiers.Count > 0
            ? property.WithModifiers(Add(property.Modifiers, kinds))
            : property.WithType(property.Type.WithoutLeadingTrivia()).WithModifiers(First(property.Type.GetLeadingTrivia(), kinds));
    }

    private static MethodDeclarationSyntax Method(MethodDeclarationSyntax method)
    {
        var isSequence = method.ReturnType is GenericNameSyntax { Identifier.ValueText: "IEnumerable" }
            or QualifiedNameSyntax { Right.Identifier.ValueText: "IEnumerable" };
        var qualified = method.ReturnType as QualifiedNameSyntax;
        TypeSyntax type = isSequence && qualified is not null
            ? qualified.WithRight(Sequence())
            : Sequence();
        method = method.WithTypeParameterList(null).WithConstraintClauses(default)
            .WithIdentifier(method.Identifier.WithTrailingTrivia())
            .WithParameterList(SyntaxFactory.ParameterList().WithTrailingTrivia(method.ParameterList.GetTrailingTrivia()))
            .WithReturnType(type.WithTriviaFrom(method.ReturnType));
        if (method.Modifiers.Any(SyntaxKind.StaticKeyword)) return method;
        return method.Modifiers.Count > 0
            ? method.WithModifiers(Add(method.Modifiers, SyntaxKind.StaticKeyword))
            : method.WithModifiers(First(method.ReturnType.GetLeadingTrivia(), SyntaxKind.StaticKeyword))
                .WithReturnType(method.ReturnType.WithoutLeadingTrivia());
    }

    private static GenericNameSyntax Sequence()
        => SyntaxFactory.GenericName("IEnumerable").AddTypeArgumentListArguments(SyntaxFactory.IdentifierName("Inputs"));

    /// <summary>The first modifier takes over what stands before the next word.</summary>
    private static SyntaxTokenList First(SyntaxTriviaList before, params SyntaxKind[] kinds)
    {
        var modifiers = Add(default, kinds);
        return modifiers.Replace(modifiers[0], modifiers[0].WithLeadingTrivia(before));
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
}
