namespace Espalier.Generator.Planning;

/// <summary>The attribute that a finding is about.</summary>
/// <param name="Member">The property or method that carries it; empty for the class.</param>
/// <param name="Attribute">Name of the attribute class.</param>
/// <param name="Index">Which of several on the member.</param>
internal sealed record Site(string Member, string Attribute, int Index = 0)
{
    public static Site Policy { get; } = new("", "PruningPolicyAttribute");
}

/// <summary>A mistake in a policy, as a plain value: the analyzer turns it into a diagnostic.</summary>
/// <param name="Id">Id of the diagnostic.</param>
/// <param name="Site">Where.</param>
/// <param name="Fix">What the code fix puts in place of the mistake; empty without.</param>
/// <param name="Arguments">Arguments of the message.</param>
internal sealed record Finding(string Id, Site Site, string Fix, EquatableArray<string> Arguments);
