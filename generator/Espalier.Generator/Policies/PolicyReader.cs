using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.Generator.Policies;

/// <summary>Reads a policy class: the last place where symbols are seen. Generator and analyzer share it.</summary>
internal static class PolicyReader
{
    public const string PolicyAttribute = "Espalier.PruningPolicyAttribute";

    // Names as they are: '@' of a keyword belongs to C#, not to the policy's files.
    private static readonly SymbolDisplayFormat Unescaped = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces);

    /// <summary>Reads the class; null where it has no policy attribute with a model.</summary>
    public static PolicyModel? Read(INamedTypeSymbol type, CancellationToken cancellation = default)
    {
        if (Find(type, "PruningPolicyAttribute") is not { } policy || Argument(policy, 0)?.Value is not string model) return null;
        var rules = new List<RuleModel>();
        var calibration = new List<CalibrationModel>();
        foreach (var member in type.GetMembers())
        {
            cancellation.ThrowIfCancellationRequested();
            if (member is IPropertySymbol property && ReadRule(property, cancellation) is { } rule) rules.Add(rule);
            else if (member is IMethodSymbol method && Find(method, "CalibrationAttribute") is { } attribute)
                calibration.Add(new(method.Name, Named<int>(attribute, "Samples")
                    ?? 128, Named(attribute, "Labels")?.Value as string, ProblemOf(method, type)));
        }
        var guard = Find(type, "GuardAttribute");
        return new(
            type.ContainingNamespace.IsGlobalNamespace ? "" : type.ContainingNamespace.ToDisplayString(Unescaped),
            Containers(type),
            type.Name,
            ProblemOf(type, cancellation),
            model,
            Named<int>(policy, "Seed") ?? 0,
            rules.ToEquatable(),
            ReadBudget(type),
            EnumOf(type, "PresetAttribute"),
            EnumOf(type, "AllocateAttribute"),
            EnumOf(type, "ScheduleAttribute"),
            EnumOf(type, "DivergenceAttribute"),
            EnumOf(type, "InputsFromAttribute"),
            guard is null
                ? null
                : new(Named<bool>(guard, "Equivalence") ?? false, Named<double>(guard, "Agreement"), Named(guard, "Metric") is { } metric
                    ? EnumName(metric)
                    : "Top1"),
            type.GetAttributes().Where(a => Is(a, "ProtectAttribute")).Select(a => Argument(a, 0)?.Value as string ?? "").ToEquatable(),
            Find(type, "ProtectEndsAttribute") is not null,
            calibration.ToEquatable(),
            type.GetAttributes().Where(a => Is(a, "LowRankAttribute"))
                .Select(a =>
                    new LowRankModel(Argument(a, 0)?.Value as string ?? "*", Named(a, "Of") is { } of
                        ? EnumName(of)
                        : "Any", Named<int>(a, "Rank") ?? 0, Named<double>(a, "Keep"))).ToEquatable());
    }

    private static BudgetModel? ReadBudget(INamedTypeSymbol type)
    {
        var budget = Find(type, "BudgetAttribute");
        var components = type.GetAttributes().Where(a => Is(a, "ComponentBudgetAttribute"))
            .Select(a =>
                new ComponentModel(Argument(a, 0)?.Value as string ?? "", Named<double>(a, "Macs"), Named<double>(a, "Parameters")))
                    .ToEquatable();
        if (budget is null && components.Count == 0) return null;
        double? Bound(string name) => budget is null ? null : Named<double>(budget, name);
        return new(Bound("Macs"), Bound("Parameters"), Bound("Bytes"), Bound("Latency"), components);
    }

    /// <summary>Whether an attribute is Espalier's of the given name.</summary>
    public static bool Is(AttributeData attribute, string name)
        => attribute.AttributeClass is { ContainingNamespace: { Name: "Espalier", ContainingNamespace.IsGlobalNamespace: true } } type
            && type.Name == name;

    private static string? EnumOf(ISymbol symbol, string attribute)
        => Find(symbol, attribute) is { } found ? EnumName(Argument(found, 0)) : null;

    private static AttributeData? Find(ISymbol symbol, string name) => symbol.GetAttributes().FirstOrDefault(a => Is(a, name));

    private static RuleModel? ReadRule(IPropertySymbol property, CancellationToken cancellation)
    {
        var prune = Find(property, "PruneAttribute");
        var drop = Find(property, "DropAttribute");
        if (prune is null && drop is null) return null;
        var score = Find(property, "ScoreAttribute");
        var compensate = Find(property, "CompensateAttribute");
        return new(
            property.Name,
            SyntaxFacts.GetText(property.DeclaredAccessibility),
            ProblemOf(property, prune is not null && drop is not null, cancellation),
            IsDocumented(property, cancellation),
            prune is null
                ? null
                : new(EnumName(Argument(prune, 0)), Pattern(prune), Named<double>(prune, "Keep"), Named<int>(prune, "MinKeep")
                    ?? 1, Named<int>(prune, "RoundTo") ?? 0, Named<bool>(prune, "AllowInexact") ?? false),
            drop is null ? null : new(EnumName(Argument(drop, 0)), Pattern(drop), Named<int>(drop, "AtMost") ?? 1),
            score is null ? null : EnumName(Argument(score, 0)),
            compensate is null ? null : EnumName(Argument(compensate, 0)),
            score is not null && Named(score, "Aggregate") is { } aggregate ? EnumName(aggregate) : "Sum",
            score is null ? null : Named(score, "ScoreFile")?.Value as string,
            score is null ? null : Named(score, "Method")?.Value as string);
    }

    private static string Pattern(AttributeData attribute) => Argument(attribute, 1)?.Value as string ?? "*";

    // A documentation comment in the user's own part: the implementing part must then not hide it.
    private static bool IsDocumented(IPropertySymbol property, CancellationToken cancellation)
        => property.DeclaringSyntaxReferences.Any(r => r.GetSyntax(cancellation).GetLeadingTrivia()
            .Any(t => t.HasStructure && t.GetStructure() is DocumentationCommentTriviaSyntax));

    private static string ProblemOf(INamedTypeSymbol type, CancellationToken cancellation)
    {
        if (type.IsGenericType) return "is generic";
        if (type.IsFileLocal) return "is local to its file";
        var missing = new List<string>();
        if (!type.IsStatic) missing.Add("static");
        if (!IsPartial(type, cancellation)) missing.Add("partial");
        if (missing.Count > 0) return "is not " + string.Join(" and not ", missing);
        for (var outer = type.ContainingType; outer is not null; outer = outer.ContainingType)
        {
            if (outer.IsGenericType) return $"lies in the generic type '{outer.Name}'";
            if (!IsPartial(outer, cancellation)) return $"lies in '{outer.Name}', which is not partial";
        }
        return "";
    }

    private static bool IsPartial(INamedTypeSymbol type, CancellationToken cancellation)
        => type.DeclaringSyntaxReferences.Any(r => r.GetSyntax(cancellation) is TypeDeclarationSyntax declaration
            && declaration.Modifiers.Any(SyntaxKind.PartialKeyword));

    private static string ProblemOf(IPropertySymbol property, bool both, CancellationToken cancellation)
    {
        if (both) return "has both [Prune] and [Drop]; a rule has one of them";
        if (property.IsIndexer) return "is an indexer";
        var partial = property.DeclaringSyntaxReferences.Any(r => r.GetSyntax(cancellation) is PropertyDeclarationSyntax declaration
            && declaration.Modifiers.Any(SyntaxKind.PartialKeyword));
        var missing = new List<string>();
        if (!property.IsStatic) missing.Add("static");
        if (!partial) missing.Add("partial");
        if (missing.Count > 0) return "is not " + string.Join(" and not ", missing);
        if (property.Type is not INamedTypeSymbol { Name: "Rule",
            ContainingNamespace: { Name: "Espalier", ContainingNamespace.IsGlobalNamespace: true } }) return "is not of type Rule";
        if (property.SetMethod is not null) return "has a setter";
        return Reserved.Contains(property.Name) ? $"has the name of the generated member '{property.Name}'" : "";
    }

    private static readonly HashSet<string> Reserved = new(StringComparer.Ordinal) { "Plan", "Inputs", "Outputs", "Open", "OpenDense" };

    /// <summary>
    /// The generator has not yet written <c>Inputs</c> when it reads the method, so the type may still be an error type of that name.
    /// </summary>
    private static string ProblemOf(IMethodSymbol method, INamedTypeSymbol policy)
    {
        if (!method.IsStatic) return "is not static";
        if (method.IsGenericMethod) return "is generic";
        if (method.Parameters.Length > 0) return "has parameters";
        return method.ReturnType is INamedTypeSymbol { SpecialType: not SpecialType.System_Void,
            OriginalDefinition.SpecialType: SpecialType.System_Collections_Generic_IEnumerable_T } sequence
            && sequence.TypeArguments[0] is INamedTypeSymbol { Name: "Inputs" } inputs
            && (inputs.TypeKind == TypeKind.Error || SymbolEqualityComparer.Default.Equals(inputs.ContainingType, policy))
            ? ""
            : $"returns '{method.ReturnType.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat)}'";
    }

    private static EquatableArray<ContainerModel> Containers(INamedTypeSymbol type)
    {
        var containers = new List<ContainerModel>();
        for (var outer = type.ContainingType; outer is not null; outer = outer.ContainingType)
        {
            var keyword = outer.TypeKind switch
            {
                TypeKind.Struct => outer.IsRecord ? "record struct" : "struct",
                TypeKind.Interface => "interface",
                _ => outer.IsRecord ? "record" : "class",
            };
            containers.Insert(0, new(keyword, outer.Name));
        }
        return containers.ToEquatable();
    }

    private static TypedConstant? Argument(AttributeData attribute, int index)
        => index < attribute.ConstructorArguments.Length
            && attribute.ConstructorArguments[index] is { Kind: not (TypedConstantKind.Error or TypedConstantKind.Array) } argument
                ? argument
                : null;

    private static TypedConstant? Named(AttributeData attribute, string name)
    {
        foreach (var argument in attribute.NamedArguments)
            if (argument.Key == name && argument.Value.Kind is (TypedConstantKind.Primitive or TypedConstantKind.Enum))
                return argument.Value;
        return null;
    }

    private static T? Named<T>(AttributeData attribute, string name) where T : struct
        => Named(attribute, name) is { Kind: TypedConstantKind.Primitive, Value: T value } ? value : null;

    /// <summary>
    /// The member of an enum by name, so that the generator need not know the numbers; the number for a value that has no name.
    /// </summary>
    private static string EnumName(TypedConstant? constant)
    {
        if (constant is not { Kind: TypedConstantKind.Enum, Type: { } type, Value: { } value }) return "";
        return type.GetMembers().OfType<IFieldSymbol>().FirstOrDefault(f => f.HasConstantValue && Equals(f.ConstantValue, value))?.Name
            ?? Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!;
    }
}
