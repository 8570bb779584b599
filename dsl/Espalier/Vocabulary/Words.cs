#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>Members of enums as other places write them.</summary>
internal static class Words
{
    /// <summary>As JSON writes them: <c>keyValueGroups</c>.</summary>
    public static string Camel<T>(T value) where T : struct, Enum
    {
        string name = value.ToString();
        return char.ToLowerInvariant(name[0]) + name.Substring(1);
    }

    /// <summary>As the command line writes those that have no row: <c>zip-lm</c>.</summary>
    public static string Kebab<T>(T value) where T : struct, Enum
        => string.Concat(value.ToString().Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));
}
