namespace Espalier.Pruning.Plans;

/// <summary>Rules and values as messages and reports name them.</summary>
internal static class RuleNames
{
    public static string Describe(this PruneRule rule) => Describe(rule.Location, rule.Name, rule.Axis);

    public static string Describe(this DropRule rule) => Describe(rule.Location, rule.Name, rule.Axis);

    public static string Describe(this LowRankRule rule)
        => $"rule on the rank of '{rule.Pattern}'" + (rule.Of == ProductKind.KeysAndValues ? " among keys and values" : "");

    /// <summary>A value of an enum as reports write it.</summary>
    public static string CamelCase<T>(this T value) where T : struct, Enum => Words.Camel(value);

    /// <summary>The first eight names, quoted, and how many more there are.</summary>
    public static string Listed(IReadOnlyCollection<string> names)
        => string.Join(", ", names.Take(8).Select(n => $"'{n}'")) + (names.Count > 8 ? $" and {names.Count - 8} more" : "");

    private static string Describe(string location, string name, Axis axis)
        => (location.Length > 0 ? location + ": " : "") + (name.Length > 0 ? $"rule '{name}'" : $"rule on {axis.CamelCase()}");
}
