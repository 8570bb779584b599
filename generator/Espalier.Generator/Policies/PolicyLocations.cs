using Espalier.Generator.Collections;
using Espalier.Generator.Vocabulary;
using Microsoft.CodeAnalysis;

namespace Espalier.Generator.Policies;

/// <summary>Where a policy and its rules are written: for errors that the build finds after the compiler.</summary>
/// <param name="Policy">Full name of the policy.</param>
/// <param name="Entries">Places by property; the policy's own has an empty name.</param>
internal sealed record PolicyLocations(string Policy, EquatableArray<MemberLocation> Entries)
{
    /// <summary>Reads the places from the symbols.</summary>
    public static PolicyLocations Read(INamedTypeSymbol type, PolicyModel policy, CancellationToken cancellation)
    {
        var entries = new List<MemberLocation>();
        Add("", type, nameof(PruningPolicyAttribute));
        foreach (var rule in policy.Rules)
            foreach (var property in type.GetMembers(rule.Name))
                Add(rule.Name, property, rule.Prune is null ? nameof(DropAttribute) : nameof(PruneAttribute));
        foreach (var calibration in policy.Calibration.Take(1))
            foreach (var method in type.GetMembers(calibration.Method))
                Add(calibration.Method, method, nameof(CalibrationAttribute));
        return new(policy.FullName, entries.ToEquatable());

        void Add(string member, ISymbol symbol, string attribute)
        {
            if (entries.Any(e => e.Member == member)) return;
            if (symbol.GetAttributes().FirstOrDefault(a => PolicyReader.Is(a, attribute))?.ApplicationSyntaxReference is not { } reference)
                return;
            var position = reference.GetSyntax(cancellation).GetLocation().GetLineSpan();
            entries.Add(new(member, position.Path, position.StartLinePosition.Line + 1, position.StartLinePosition.Character + 1));
        }
    }

    /// <summary>The same with paths relative to the project's folder: an absolute path would put this machine into the assembly.</summary>
    public PolicyLocations RelativeTo(string folder)
    {
        folder = folder.Replace('\\', '/').TrimEnd('/') + "/";
        return this with { Entries = Entries.Select(e => e with { Path = Relative(e.Path.Replace('\\', '/'), folder) }).ToEquatable() };
    }

    private static string Relative(string path, string folder)
        => folder.Length > 1 && path.StartsWith(folder, StringComparison.OrdinalIgnoreCase)
            ? path.Substring(folder.Length)
            : path.Substring(path.LastIndexOf('/') + 1);
}

/// <summary>The place of one attribute; lines and columns from 1.</summary>
internal sealed record MemberLocation(string Member, string Path, int Line, int Column)
{
    /// <summary>As MSBuild writes places.</summary>
    public string Location => FormattableString.Invariant($"{Path}({Line},{Column})");
}
