using Espalier.Generator.Collections;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Planning;

/// <summary>What a finding is about: an argument of an attribute, an attribute, or a member of the user's part.</summary>
/// <param name="Member">The property or method that carries the attribute; empty for the class.</param>
/// <param name="Attribute">Name of the attribute class; empty where the member itself is meant.</param>
/// <param name="Index">Which of several on the member.</param>
/// <param name="Argument">The argument to blame, by the name of its property or parameter; of several names between spaces the first that
/// is written. Empty, and where none is written: the attribute.</param>
internal sealed record AttributeSite(string Member, string Attribute, int Index = 0, string Argument = "")
{
    /// <summary>Parameters of [Prune] and [Drop]: whoever writes no pattern has chosen by the axis alone.</summary>
    public const string Pattern = "pattern axis";

    public static AttributeSite Policy { get; } = OfClass(nameof(PruningPolicyAttribute));

    /// <summary>The path in the policy's attribute.</summary>
    public static AttributeSite Model { get; } = Policy.At("model");

    public static AttributeSite OfClass(string attribute, int index = 0) => new("", attribute, index);

    /// <summary>The same attribute's argument.</summary>
    public AttributeSite At(string argument) => this with { Argument = argument };
}

/// <summary>A mistake in a policy, as a plain value: the analyzer turns it into a diagnostic.</summary>
/// <param name="Id">One of <see cref="Ids"/>.</param>
/// <param name="Site">The attribute at which it is shown.</param>
/// <param name="Fix">What the code fix puts in place of the mistake; empty without.</param>
/// <param name="Arguments">What the message's format is filled with.</param>
internal sealed record Finding(string Id, AttributeSite Site, string Fix, EquatableArray<string> Arguments);

/// <summary>What has been found so far.</summary>
internal sealed class Findings : List<Finding>
{
    /// <summary>One without a fix.</summary>
    public void Add(string id, AttributeSite site, params string[] arguments) => Add(new(id, site, "", arguments.ToEquatable()));

    /// <summary>A value that does not go with something else of the policy.</summary>
    public void DoesNotFit(AttributeSite site, string value, string with, string advice)
        => Add(Ids.DoesNotFit, site, value, with, advice);

    /// <summary>A number that is no fraction; nothing where it is one, or none is given.</summary>
    public void CheckFraction(AttributeSite site, string argument, double? value)
    {
        if (value is { } number && !(number > 0 && number <= 1))
            Add(Ids.OutOfRange, site.At(argument), argument, PolicyChecks.Number(number), "a fraction in (0, 1]");
    }

    /// <summary>A number that is too small; nothing where it is not.</summary>
    public void CheckAtLeast(AttributeSite site, string argument, int value, int least)
    {
        if (value < least)
            Add(Ids.OutOfRange, site.At(argument), argument, PolicyChecks.Number(value), FormattableString.Invariant($"at least {least}"));
    }
}
