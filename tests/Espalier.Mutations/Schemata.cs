using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Mutations;

/// <summary>
/// Writes all mutations into the sources of one copy at once, each behind a switch (mutant schemata: Untch, Offutt and Harrold
/// 1993), so that one build serves all of them: an expression becomes <c>(switch ? new : old)</c>, a statement an <c>if</c>;
/// text of the operator table is replaced when the table is parsed. An environment variable has the number of the mutation that holds.
/// </summary>
internal static partial class Schemata
{
    /// <summary>The environment variable.</summary>
    public const string Variable = "ESPALIER_MUTATION";

    /// <summary>Where the operator table becomes lines and names.</summary>
    private const string TableFile = "OperatorTable.cs", TableHook = "text.Split(";

    // A line of a table goes on in the lines that are indented below it.
    [GeneratedRegex(@"\n {12,}")]
    private static partial Regex Continued();

    /// <summary>Makes the sources with all mutations in them.</summary>
    /// <param name="mutations">The mutations.</param>
    /// <param name="root">The repository, which is only read.</param>
    /// <param name="wrong">What does not fit: a fragment that does not occur, or not only once. Empty where all is well.</param>
    /// <returns>By path in the repository the text of every file that changes, or is new.</returns>
    public static Dictionary<string, string> Sources(IReadOnlyList<Mutation> mutations, string root, out List<string> wrong)
    {
        var sources = new Dictionary<string, string>(StringComparer.Ordinal);
        wrong = [];
        foreach (var ofProject in mutations.GroupBy(m => ProjectOf(root, m.File), StringComparer.Ordinal))
        {
            string type = Class(ofProject.Key);
            var found = new List<Place>();
            foreach (var ofFile in ofProject.GroupBy(m => m.File, StringComparer.Ordinal))
            {
                string source = Read(ofFile.Key), joined = Continued().Replace(source, " ");
                foreach (var mutation in ofFile)
                    if (Find(mutation, mutation.IsText ? joined : source, wrong) is { } place) found.Add(place);
                sources[ofFile.Key] = Rewritten(source, found.Where(p => p.Mutation.File == ofFile.Key && !p.Mutation.IsText), type, wrong);
            }
            sources[$"{ofProject.Key}/Mutation.g.cs"] = Switch(type, found.Where(p => p.Mutation.IsText));
            if (ofProject.FirstOrDefault(m => m.IsText) is not { } text) continue;
            string table = text.File[..(text.File.LastIndexOf('/') + 1)] + TableFile, parser = sources.GetValueOrDefault(table)
                ?? Read(table);
            if (!parser.Contains(TableHook, StringComparison.Ordinal))
                wrong.Add($"{TableFile}: '{TableHook}' does not occur any more, where the table is parsed");
            sources[table] = parser.Replace(TableHook, $"global::{type}.Text(text).Split(", StringComparison.Ordinal);
        }
        return sources;

        string Read(string file) => File.ReadAllText(Path.Combine(root, file)).ReplaceLineEndings("\n");
    }

    /// <summary>
    /// Where the fragment is. Before and after it stands what is around it, in one line; with an ellipsis in front the line begins with
    /// what is before the ellipsis, and the rest is somewhere in it.
    /// </summary>
    private static Place? Find(Mutation mutation, string source, List<string> wrong)
    {
        int gap = mutation.Before.IndexOf('…');
        string head = gap < 0 ? "" : mutation.Before[..gap], lead = mutation.Before[(gap + 1)..];
        string sought = lead + mutation.Old + mutation.After;
        var places = new List<Place>();
        int start = 0;
        foreach (string line in source.Split('\n'))
        {
            string text = line.TrimStart();
            int from = line.Length - text.Length + head.Length;
            int at = text.StartsWith(head, StringComparison.Ordinal) ? line.IndexOf(sought, from, StringComparison.Ordinal) : -1;
            for (; at >= 0; at = line.IndexOf(sought, at + 1, StringComparison.Ordinal))
            {
                int inText = at + lead.Length - (line.Length - text.Length);
                places.Add(new(mutation, start + at + lead.Length, text, text[..inText] + mutation.New
                    + text[(inText + mutation.Old.Length)..]));
            }
            start += line.Length + 1;
        }
        if (places.Count == 1) return places[0];
        wrong.Add($"{mutation.Number} {mutation.FileName}: '{mutation.Before}{mutation.Old}{mutation.After}' "
            + (places.Count == 0 ? "does not occur any more" : $"occurs {places.Count} times"));
        return null;
    }

    /// <summary>A mutation in the source: where its fragment begins, and its line before and after.</summary>
    private sealed record Place(Mutation Mutation, int At, string Line, string Mutated);

    private static string Rewritten(string source, IEnumerable<Place> places, string type, List<string> wrong)
    {
        var text = new StringBuilder();
        int at = 0;
        // Several mutations of one fragment are one chain of switches.
        foreach (var same in places.GroupBy(p => p.At).OrderBy(g => g.Key))
        {
            var mutations = same.Select(p => p.Mutation).ToList();
            string old = mutations[0].Old;
            if (same.Key < at || mutations.Exists(m => m.Old != old))
            {
                wrong.Add($"{mutations[0].Number} {mutations[0].FileName}: '{old}' overlaps with another mutation");
                continue;
            }
            text.Append(source.AsSpan(at, same.Key - at));
            if (old.EndsWith(';'))
                text.Append(string.Concat(mutations.Select(m => $"if (global::{type}.Is({m.Number})) {{ {m.New} }} else "))).Append("{ ")
                    .Append(old).Append(" }");
            else
                text.Append('(').Append(string.Concat(mutations.Select(m => $"global::{type}.Is({m.Number}) ? ({m.New}) : "))).Append('(')
                    .Append(old).Append("))");
            at = same.Key + old.Length;
        }
        return text.Append(source.AsSpan(at)).ToString();
    }

    private static string Switch(string type, IEnumerable<Place> texts)
    {
        string arms = string.Concat(texts.Select(p =>
            $"        {p.Mutation.Number} => Other(text, {Literal(p.Line)}, {Literal(p.Mutated)}),\n"));
        return $$"""
            internal static class {{type}}
            {
                private static readonly int Active =
                    int.TryParse(System.Environment.GetEnvironmentVariable("{{Variable}}"), out int n) ? n : 0;

                public static bool Is(int mutation) => mutation == Active;

                public static string Text(string text) => Active switch
                {
            {{arms}}        _ => text,
                };

                private static string Other(string text, string line, string mutated)
                    => string.Join('\n', System.Linq.Enumerable.Select(text.Split('\n'), l => l.Trim() == line ? mutated : l));
            }

            """;
    }

    /// <summary>The nearest folder above a file that holds a project.</summary>
    private static string ProjectOf(string root, string file)
    {
        string folder = file;
        do folder = folder[..Math.Max(0, folder.LastIndexOf('/'))];
        while (folder.Length > 0 && Directory.GetFiles(Path.Combine(root, folder), "*.csproj").Length == 0);
        return folder.Length > 0 ? folder : throw new FormatException($"{file} is in no project");
    }

    // One project sees the internals of another, so that the names of the classes must differ.
    private static string Class(string project)
        => project[(project.LastIndexOf('/') + 1)..].Replace(".", "", StringComparison.Ordinal) + "Mutation";

    private static string Literal(string text)
        => '"' + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + '"';
}
