using Espalier.Generator.Collections;
using Espalier.Generator.Vocabulary;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Espalier.Generator.Policies;

/// <summary>Reads a policy class: the last place where symbols are seen. Generator and analyzer share it.</summary>
internal static class PolicyReader
{
    public const string PolicyAttribute = $"Espalier.{nameof(PruningPolicyAttribute)}";

    // Names as they are: '@' of a keyword belongs to C#, not to the policy's files.
    private static readonly SymbolDisplayFormat Unescaped = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces);

    private static readonly CalibrationAttribute CalibrationDefaults = new();
    private static readonly RecoverAttribute RecoverDefaults = new();
    private static readonly PruneAttribute PruneDefaults = new(default);
    private static readonly DropAttribute DropDefaults = new(default);
    private static readonly EmbeddingsAttribute EmbeddingsDefaults = new("");
    private static readonly ImagesAttribute ImagesDefaults = new();

    /// <summary>Reads the class; null where it has no policy attribute with a model.</summary>
    public static PolicyModel? Read(INamedTypeSymbol type, CancellationToken cancellation = default)
    {
        if (Find(type, nameof(PruningPolicyAttribute)) is not { } policy || Argument(policy, 0)?.Value is not string model) return null;
        var rules = new List<RuleModel>();
        var calibration = new List<CalibrationModel>();
        foreach (var member in type.GetMembers())
        {
            cancellation.ThrowIfCancellationRequested();
            if (member is IPropertySymbol property && ReadRule(property, cancellation) is { } rule) rules.Add(rule);
            else if (member is IMethodSymbol method && Find(method, nameof(CalibrationAttribute)) is { } attribute)
                calibration.Add(ReadCalibration(attribute, method, type));
        }
        return new()
        {
            Namespace = type.ContainingNamespace.IsGlobalNamespace ? "" : type.ContainingNamespace.ToDisplayString(Unescaped),
            Containers = Containers(type),
            Name = type.Name,
            Accessibility = AccessibilityOf(type),
            ClassProblem = ProblemOf(type, cancellation),
            Model = model,
            Seed = Named<int>(policy, nameof(PruningPolicyAttribute.Seed)) ?? 0,
            Publish = Named<bool>(policy, nameof(PruningPolicyAttribute.Publish)) ?? true,
            Sha256 = Text(policy, nameof(PruningPolicyAttribute.Sha256)),
            Rules = rules.ToEquatable(),
            Budget = ReadBudget(type),
            Preset = Stated<Preset>(type, nameof(PresetAttribute)),
            Allocation = Stated<Allocation>(type, nameof(AllocateAttribute)),
            Schedule = Stated<Schedule>(type, nameof(ScheduleAttribute)),
            DivergenceMetric = Stated<Metric>(type, nameof(DivergenceAttribute)),
            DivergenceOutputs = Find(type, nameof(DivergenceAttribute)) is { } divergence
                ? Texts(divergence, nameof(DivergenceAttribute.Outputs))
                : default,
            Inputs = Stated<InputSource>(type, nameof(InputsFromAttribute)),
            Guard = Find(type, nameof(GuardAttribute)) is { } guard ? ReadGuard(guard) : null,
            Recover = Find(type, nameof(RecoverAttribute)) is { } recover ? ReadRecover(recover, type) : null,
            Protect = All(type, nameof(ProtectAttribute)).Select(a => Argument(a, 0)?.Value as string ?? "").ToEquatable(),
            ProtectsEnds = Find(type, nameof(ProtectEndsAttribute)) is not null,
            Calibration = calibration.ToEquatable(),
            LowRank = All(type, nameof(LowRankAttribute)).Select(ReadLowRank).ToEquatable(),
            Colliding = GeneratedMembers.CollidingIn(type).Select(member => member.Name).Distinct(StringComparer.Ordinal).ToEquatable(),
            Embeddings = Find(type, nameof(EmbeddingsAttribute)) is { } embeddings ? ReadEmbeddings(embeddings) : null,
            Images = Find(type, nameof(ImagesAttribute)) is { } images ? ReadImages(images) : null,
        };
    }

    private static EmbeddingsModel ReadEmbeddings(AttributeData attribute) => new(
        PolicyModel.Normalise(Argument(attribute, 0)?.Value as string ?? ""),
        EnumValue<Pooling>(Named(attribute, nameof(EmbeddingsAttribute.Pooling))) ?? EmbeddingsDefaults.Pooling,
        Named<bool>(attribute, nameof(EmbeddingsAttribute.Normalise)) ?? EmbeddingsDefaults.Normalise,
        Named<int>(attribute, nameof(EmbeddingsAttribute.MaxTokens)) ?? EmbeddingsDefaults.MaxTokens,
        Text(attribute, nameof(EmbeddingsAttribute.Output)));

    private static ImagesModel ReadImages(AttributeData attribute) => new(
        Items<double>(attribute, nameof(ImagesAttribute.Mean)),
        Items<double>(attribute, nameof(ImagesAttribute.Deviation)),
        Named<int>(attribute, nameof(ImagesAttribute.Width)) ?? ImagesDefaults.Width,
        Named<int>(attribute, nameof(ImagesAttribute.Height)) ?? ImagesDefaults.Height);

    /// <summary>The narrowest of the class and of those round it.</summary>
    private static string AccessibilityOf(INamedTypeSymbol type)
    {
        var narrowest = "public";
        for (var outer = type; outer is not null; outer = outer.ContainingType)
            switch (outer.DeclaredAccessibility)
            {
                case Accessibility.Public: break;
                case Accessibility.Internal or Accessibility.ProtectedOrInternal: narrowest = "internal"; break;
                default: return "";
            }
        return narrowest;
    }

    private static CalibrationModel ReadCalibration(AttributeData attribute, IMethodSymbol method, INamedTypeSymbol policy)
        => new(method.Name, Named<int>(attribute, nameof(CalibrationAttribute.Samples)) ?? CalibrationDefaults.Samples,
            Text(attribute, nameof(CalibrationAttribute.Labels)), ProblemOf(method, policy));

    private static RecoverModel ReadRecover(AttributeData attribute, INamedTypeSymbol policy)
    {
        string? data = Text(attribute, nameof(RecoverAttribute.Data));
        var method = data is null ? null : policy.GetMembers(data).OfType<IMethodSymbol>().FirstOrDefault(m => m.Parameters.Length == 0);
        return new(Named<int>(attribute, nameof(RecoverAttribute.Steps)) ?? RecoverDefaults.Steps, data,
            Named<int>(attribute, nameof(RecoverAttribute.Samples)) ?? RecoverDefaults.Samples,
            EnumValue<Train>(Named(attribute, nameof(RecoverAttribute.Weights))) ?? RecoverDefaults.Weights,
            Named<double>(attribute, nameof(RecoverAttribute.Rate)) ?? RecoverDefaults.Rate,
            data is null ? "" : method is null ? "does not exist, or has parameters" : ProblemOf(method, policy));
    }

    private static GuardModel ReadGuard(AttributeData guard) => new(
        Named<bool>(guard, nameof(GuardAttribute.Equivalence)) ?? false,
        Named<double>(guard, nameof(GuardAttribute.Agreement)),
        EnumValue<Metric>(Named(guard, nameof(GuardAttribute.Metric))));

    private static LowRankModel ReadLowRank(AttributeData attribute) => new(
        Argument(attribute, 0)?.Value as string ?? "*",
        EnumValue<ProductKind>(Named(attribute, nameof(LowRankAttribute.Of))) ?? ProductKind.Any,
        Named<int>(attribute, nameof(LowRankAttribute.Rank)) ?? 0,
        Named<double>(attribute, nameof(LowRankAttribute.Keep)));

    private static BudgetModel? ReadBudget(INamedTypeSymbol type)
    {
        var budget = Find(type, nameof(BudgetAttribute));
        var components = All(type, nameof(ComponentBudgetAttribute)).Select(a => new ComponentModel(Argument(a, 0)?.Value as string ?? "",
            Named<double>(a, nameof(ComponentBudgetAttribute.Macs)), Named<double>(a, nameof(ComponentBudgetAttribute.Parameters))))
            .ToEquatable();
        if (budget is null && components.Count == 0) return null;
        double? Bound(string name) => budget is null ? null : Named<double>(budget, name);
        return new(Bound(nameof(BudgetAttribute.Macs)), Bound(nameof(BudgetAttribute.Parameters)), Bound(nameof(BudgetAttribute.Bytes)),
            Bound(nameof(BudgetAttribute.Latency)), components);
    }

    /// <summary>Whether an attribute is Espalier's of the given name.</summary>
    public static bool Is(AttributeData attribute, string name)
        => attribute.AttributeClass is { ContainingNamespace: { Name: "Espalier", ContainingNamespace.IsGlobalNamespace: true } } type
            && type.Name == name;

    private static T? Stated<T>(ISymbol symbol, string attribute) where T : struct, Enum
        => Find(symbol, attribute) is { } found ? EnumValue<T>(Argument(found, 0)) : null;

    private static AttributeData? Find(ISymbol symbol, string name) => All(symbol, name).FirstOrDefault();

    private static IEnumerable<AttributeData> All(ISymbol symbol, string name) => symbol.GetAttributes().Where(a => Is(a, name));

    private static RuleModel? ReadRule(IPropertySymbol property, CancellationToken cancellation)
    {
        var prune = Find(property, nameof(PruneAttribute));
        var drop = Find(property, nameof(DropAttribute));
        if (prune is null && drop is null) return null;
        return new()
        {
            Name = property.Name,
            Accessibility = SyntaxFacts.GetText(property.DeclaredAccessibility),
            Problem = ProblemOf(property, prune is not null && drop is not null, cancellation),
            HasDocumentation = IsDocumented(property, cancellation),
            Prune = prune is null ? null : ReadPrune(prune),
            Drop = drop is null
                ? null
                : new(AxisOf(drop), Pattern(drop), Named<int>(drop, nameof(DropAttribute.AtMost)) ?? DropDefaults.AtMost),
            Score = Find(property, nameof(ScoreAttribute)) is { } score ? ReadScore(score) : null,
            Compensate = Stated<Compensation>(property, nameof(CompensateAttribute)),
        };
    }

    private static PruneModel ReadPrune(AttributeData prune) => new(
        AxisOf(prune),
        Pattern(prune),
        Named<double>(prune, nameof(PruneAttribute.Keep)),
        Named<int>(prune, nameof(PruneAttribute.MinKeep)) ?? PruneDefaults.MinKeep,
        Named<int>(prune, nameof(PruneAttribute.RoundTo)) ?? 0,
        Named<bool>(prune, nameof(PruneAttribute.AllowInexact)) ?? false);

    private static ScoreModel? ReadScore(AttributeData score) => EnumValue<Criterion>(Argument(score, 0)) is not { } criterion
        ? null
        : new(criterion, EnumValue<Aggregate>(Named(score, nameof(ScoreAttribute.Aggregate))) ?? Aggregate.Sum,
            Text(score, nameof(ScoreAttribute.ScoreFile)), Text(score, nameof(ScoreAttribute.Method)));

    // Without one the code does not compile, and what is said of the axis does not matter.
    private static Axis AxisOf(AttributeData attribute) => EnumValue<Axis>(Argument(attribute, 0)) ?? Axis.Other;

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
        if (property.Type is not INamedTypeSymbol
            {
                Name: "Rule",
                ContainingNamespace: { Name: "Espalier", ContainingNamespace.IsGlobalNamespace: true }
            }) return "is not of type Rule";
        return property.SetMethod is not null ? "has a setter" : "";
    }

    /// <summary>
    /// The generator has not yet written <c>Inputs</c> when it reads the method, so the type may still be an error type of that name.
    /// </summary>
    private static string ProblemOf(IMethodSymbol method, INamedTypeSymbol policy)
    {
        if (!method.IsStatic) return "is not static";
        if (method.IsGenericMethod) return "is generic";
        if (method.Parameters.Length > 0) return "has parameters";
        return method.ReturnType is INamedTypeSymbol
        {
            SpecialType: not SpecialType.System_Void,
            OriginalDefinition.SpecialType: SpecialType.System_Collections_Generic_IEnumerable_T
        } sequence
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

    private static EquatableArray<string> Texts(AttributeData attribute, string name)
        => Constants(attribute, name).Select(v => v.Value as string ?? "").ToEquatable();

    private static EquatableArray<T> Items<T>(AttributeData attribute, string name) where T : struct, IEquatable<T>
        => Constants(attribute, name).Select(v => v.Value).OfType<T>().ToEquatable();

    private static IEnumerable<TypedConstant> Constants(AttributeData attribute, string name)
        => attribute.NamedArguments.Where(a => a.Key == name && a.Value is { Kind: TypedConstantKind.Array, IsNull: false })
            .SelectMany(a => a.Value.Values);

    private static string? Text(AttributeData attribute, string name) => Named(attribute, name)?.Value as string;

    /// <summary>A member of an enum, or a number that names none.</summary>
    private static T? EnumValue<T>(TypedConstant? constant) where T : struct, Enum
        => constant is { Kind: TypedConstantKind.Enum, Value: { } value } ? (T)Enum.ToObject(typeof(T), value) : null;
}
