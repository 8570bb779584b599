using System.Collections.Immutable;
using System.Reflection;
using Espalier.Generator.Planning;
using Microsoft.CodeAnalysis;

namespace Espalier.Generator.Diagnostics;

/// <summary>The diagnostics, one each; the message says what is wrong and what to do.</summary>
internal static class Descriptors
{
    /// <summary>Where the documentation is: the property EspalierDocsUrl of the build.</summary>
    private static readonly string Docs = typeof(Descriptors).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(a => a.Key == "Espalier.DocsUrl").Value;

    public static readonly DiagnosticDescriptor PolicyShape = Make(Ids.PolicyShape, "A pruning policy is a static partial class",
        "Policy '{0}' {1}; a pruning policy is a static partial class that is not generic, in partial types only");

    public static readonly DiagnosticDescriptor NoModel = Make(Ids.NoModel, "The project has no such model",
        "The project has no model '{0}'{1}");

    public static readonly DiagnosticDescriptor NoMatch = Make(Ids.NoMatch, "Nothing in the model matches", "{0}{1}");

    public static readonly DiagnosticDescriptor OutOfRange = Make(Ids.OutOfRange, "The number is out of range",
        "{0} is {1}, but must be {2}");

    public static readonly DiagnosticDescriptor NothingLeft = Make(Ids.NothingLeft, "The rule leaves nothing to keep",
        "Rule '{0}' leaves nothing to keep: {1}. {2}.");

    public static readonly DiagnosticDescriptor NothingRemoved = Make(Ids.NothingRemoved, "The rule removes nothing",
        "Rule '{0}' removes nothing: {1}", DiagnosticSeverity.Warning);

    public static readonly DiagnosticDescriptor Frozen = Make(Ids.Frozen, "The group is frozen",
        "Rule '{0}' can prune nothing, because every group that it matches is frozen; '{1}': {2}");

    public static readonly DiagnosticDescriptor Inexact = Make(Ids.Inexact, "The group cannot be pruned exactly",
        "Rule '{0}' can prune nothing exactly; '{1}': {2}. Set AllowInexact = true to prune it nevertheless.");

    public static readonly DiagnosticDescriptor Disagree = Make(Ids.Disagree, "Two rules disagree on one coupled group",
        "Rules '{1}' and '{0}' disagree on the coupled group '{2}', which '{1}' names through '{3}' and '{0}' through '{4}'; its units "
            + "are removed together, so only one rule can decide");

    public static readonly DiagnosticDescriptor NeedsCalibration = Make(Ids.NeedsCalibration, "The rule needs calibration data",
        "{0} needs calibration data, and the policy has none; add a method [Calibration] static IEnumerable<Inputs> Samples()");

    public static readonly DiagnosticDescriptor CalibrationShape = Make(Ids.CalibrationShape,
        "The calibration method has the wrong signature",
        "Calibration method '{0}' {1}; it is a static method without parameters that returns IEnumerable<Inputs>");

    public static readonly DiagnosticDescriptor OutOfReach = Make(Ids.OutOfReach, "No plan under these rules meets the budget",
        "No plan under these rules meets {0} = {1}: the least that they reach is {2}; raise the budget, lower MinKeep or RoundTo, or let "
            + "rules cover more groups");

    public static readonly DiagnosticDescriptor Malformed = Make(Ids.Malformed, "The manifest is malformed",
        "The manifest '{0}' is malformed in line {1}: {2}; build the project again");

    public static readonly DiagnosticDescriptor RuleShape = Make(Ids.RuleShape, "A rule is a static partial property of type Rule",
        "Rule '{0}' {1}; a rule is a property 'static partial Rule {0} {{ get; }}'");

    public static readonly DiagnosticDescriptor DoesNotFit = Make(Ids.DoesNotFit, "The value does not go with the rule",
        "{0} does not go with {1}. {2}.");

    public static readonly DiagnosticDescriptor NothingDecides = Make(Ids.NothingDecides, "Nothing says how much is to stay",
        "Neither a Keep of rule '{0}' nor a [Budget] of the policy says how much is to stay");

    public static readonly DiagnosticDescriptor NoData = Make(Ids.NoData, "The budget is spent without calibration data",
        "A budget without calibration data: {0}. Add [Calibration(Samples = 256)] static IEnumerable<Inputs> Samples() => …; and "
            + "[Guard(Agreement = 0.95)].",
        DiagnosticSeverity.Warning);

    public static readonly DiagnosticDescriptor DoesNothing = Make(Ids.DoesNothing, "The policy removes nothing",
        "The policy removes nothing, and the program ships a copy of the dense model: {0}. {1}.", DiagnosticSeverity.Warning);

    public static readonly DiagnosticDescriptor NameIsTaken = Make(Ids.NameIsTaken, "The name is that of a generated member",
        "{0} has the name '{1}' of a generated member; give it another one");

    public static readonly DiagnosticDescriptor NoTokenizer = Make(Ids.NoTokenizer, "The project has no such tokenizer",
        "The project has no tokenizer '{0}'{1}. Add <EspalierTokenizer Include=\"{0}\" />, or neither the program nor a calibration "
            + "method finds the file.", DiagnosticSeverity.Warning);

    public static ImmutableArray<DiagnosticDescriptor> All { get; } =
    [
        PolicyShape, NoModel, NoMatch, OutOfRange, NothingLeft, NothingRemoved, Frozen, Inexact, Disagree, NeedsCalibration,
        CalibrationShape, OutOfReach, Malformed, RuleShape, DoesNotFit, NothingDecides, NoData, DoesNothing, NameIsTaken,
        NoTokenizer,
    ];

    public static DiagnosticDescriptor ById(string id) => All.First(d => d.Id == id);

    private static DiagnosticDescriptor Make(string id, string title, string message,
        DiagnosticSeverity severity = DiagnosticSeverity.Error)
        // The messages are checked by the tests; the ids are in AnalyzerReleases.Unshipped.md, which the analyzer does not see
        // through this method.
#pragma warning disable RS1032, RS2000
        => new(id, title, message, "Espalier", severity, isEnabledByDefault: true, helpLinkUri: $"{Docs}diagnostics/{id}.md");
#pragma warning restore RS1032, RS2000
}
