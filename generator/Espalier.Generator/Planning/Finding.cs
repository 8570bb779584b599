using Espalier.Generator.Collections;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Planning;

/// <summary>The attribute that a finding is about.</summary>
/// <param name="Member">The property or method that carries it; empty for the class.</param>
/// <param name="Attribute">Name of the attribute class.</param>
/// <param name="Index">Which of several on the member.</param>
internal sealed record AttributeSite(string Member, string Attribute, int Index = 0)
{
    public static AttributeSite Policy { get; } = OfClass(nameof(PruningPolicyAttribute));

    public static AttributeSite OfClass(string attribute, int index = 0) => new("", attribute, index);
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
            Add(Ids.OutOfRange, site, argument, PolicyChecks.Number(number), "a fraction in (0, 1]");
    }

    /// <summary>A number that is too small; nothing where it is not.</summary>
    public void CheckAtLeast(AttributeSite site, string argument, int value, int least)
    {
        if (value < least)
            Add(Ids.OutOfRange, site, argument, PolicyChecks.Number(value), FormattableString.Invariant($"at least {least}"));
    }
}
