using Espalier.Generator.Vocabulary;
using Microsoft.CodeAnalysis;

namespace Espalier.Generator.Policies;

/// <summary>
/// The members that the emitter writes into a policy's class: the one list of names that the user's part leaves free. A member that is
/// there already is reported (ESP0019) and not written, so that the compiler does not name a generated file.
/// </summary>
internal static class GeneratedMembers
{
    public const string Plan = "Plan", Inputs = "Inputs", Outputs = "Outputs", Open = "Open", OpenDense = "OpenDense";

    /// <summary>The name in the GeneratedCode attribute of what the emitter writes.</summary>
    public const string Tool = "Espalier.Generator";

    private static readonly GeneratedMember[] All =
    [
        new(Plan, null), new(Inputs, null), new(Outputs, null), new(Open, "SessionOptions"), new(OpenDense, "SessionOptions"),
    ];

    /// <summary>What a policy with <c>[Embeddings]</c> gets besides.</summary>
    private static readonly GeneratedMember[] OfEncoders =
    [
        new("Embeddings", null), new("CreateEmbeddingGenerator", null), new("Tokenize", "IEnumerable"),
    ];

    /// <summary>Members of the user's part that stand in the way of generated ones, and the class itself where its name does.</summary>
    public static IEnumerable<ISymbol> CollidingIn(INamedTypeSymbol policy)
    {
        var all = policy.GetAttributes().Any(a => PolicyReader.Is(a, nameof(EmbeddingsAttribute))) ? All.Concat(OfEncoders) : All;
        if (all.Any(generated => generated.Name == policy.Name)) yield return policy;
        foreach (var generated in all)
            foreach (var member in policy.GetMembers(generated.Name))
                if (!IsGenerated(member) && Collides(member, generated)) yield return member;
    }

    /// <summary>
    /// Methods of one name may differ in their parameters, and types in the number of theirs; everything else of one name collides.
    /// </summary>
    private static bool Collides(ISymbol member, GeneratedMember generated) => (member, generated.Parameter) switch
    {
        (IMethodSymbol method, { } parameter)
            => method is { Arity: 0, Parameters.Length: 1 } && method.Parameters[0].Type.Name == parameter,
        (INamedTypeSymbol type, null) => type.Arity == 0,
        _ => true,
    };

    // An analyzer sees the class with its generated part.
    private static bool IsGenerated(ISymbol member) => member.GetAttributes().Any(a =>
        a.AttributeClass?.Name == "GeneratedCodeAttribute" && a.ConstructorArguments.Length > 0
        && a.ConstructorArguments[0].Value is Tool);

    /// <param name="Name">Its name.</param>
    /// <param name="Parameter">Type of the one parameter of a method; null for a type.</param>
    private sealed record GeneratedMember(string Name, string? Parameter);
}
