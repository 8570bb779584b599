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
        new(Plan), new(Inputs), new(Outputs), new(Open, "SessionOptions") { IsOptional = true },
        new(OpenDense, "SessionOptions") { IsOptional = true },
    ];

    /// <summary>What a policy gets besides for an attribute of its class.</summary>
    private static readonly (string Attribute, GeneratedMember[] Members)[] Extensions =
    [
        (nameof(EmbeddingsAttribute), [new("Embeddings"), new("CreateEmbeddingGenerator"), new("Tokenize", "IEnumerable")]),
        (nameof(ImagesAttribute), [new("Images"), new("FromImage", "String"), new("FromPixels", "ReadOnlySpan", "Int32", "Int32")]),
    ];

    /// <summary>Members of the user's part that stand in the way of generated ones, and the class itself where its name does.</summary>
    public static IEnumerable<ISymbol> CollidingIn(INamedTypeSymbol policy)
    {
        GeneratedMember[] all =
        [
            .. All, .. Extensions.Where(e => policy.GetAttributes().Any(a => PolicyReader.Is(a, e.Attribute))).SelectMany(e => e.Members),
        ];
        if (all.Any(generated => generated.Name == policy.Name)) yield return policy;
        foreach (var generated in all)
            foreach (var member in policy.GetMembers(generated.Name))
                if (!IsGenerated(member) && Collides(member, generated)) yield return member;
    }

    /// <summary>
    /// Methods of one name may differ in their parameters, and types in the number of theirs; everything else of one name collides. A
    /// method that may be called without arguments collides with one that may be too: it would take its calls, or make them ambiguous.
    /// </summary>
    private static bool Collides(ISymbol member, GeneratedMember generated) => member switch
    {
        IMethodSymbol method when generated.Parameters.Length > 0 => method.Arity == 0
            && (method.Parameters.Select(p => p.Type.Name).SequenceEqual(generated.Parameters)
                || (generated.IsOptional && method.Parameters.All(p => p.IsOptional))),
        INamedTypeSymbol type when generated.Parameters.Length == 0 => type.Arity == 0,
        _ => true,
    };

    // An analyzer sees the class with its generated part.
    private static bool IsGenerated(ISymbol member) => member.GetAttributes().Any(a =>
        a.AttributeClass?.Name == "GeneratedCodeAttribute" && a.ConstructorArguments.Length > 0
        && a.ConstructorArguments[0].Value is Tool);

    /// <param name="name">Its name.</param>
    /// <param name="parameters">Types of a method's parameters; none for anything else, and where any method of the name is in the
    /// way.</param>
    private sealed class GeneratedMember(string name, params string[] parameters)
    {
        public string Name { get; } = name;

        public string[] Parameters { get; } = parameters;

        /// <summary>Whether its parameters may be left out.</summary>
        public bool IsOptional { get; init; }
    }
}
