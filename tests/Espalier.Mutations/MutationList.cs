namespace Espalier.Mutations;

/// <summary>
/// Reads lists of mutations. A list is lines of text: <c>file path</c> says what the next ones change; <c>cases Op …</c>,
/// <c>classes Project Class … !Class.Method</c> (all but that), <c>methods Project Class.Method …</c> and <c>all Project</c>
/// say which tests to run, in this order (a new <c>file</c> begins anew);
/// <c>before⟦old⟧after ⇒ new</c> is a mutation (<c>start of the line…before⟦old⟧after</c>, where before and after are not
/// enough); <c>equivalent: why</c> behind one explains why it survives; <c>#</c> is a comment. Before the tests that are
/// listed, a line of the operator table is tried on the cases of its own operator.
/// </summary>
internal static class MutationList
{
    private const string OperatorTests = "Espalier.Axes.Tests";

    /// <summary>All mutations of a folder of lists, in the order of names and lines.</summary>
    /// <exception cref="FormatException">A line is none of these; the message has file and line.</exception>
    public static List<Mutation> Read(string folder, string root)
    {
        var all = new List<Mutation>();
        foreach (string list in Directory.GetFiles(folder, "*.txt").Order(StringComparer.Ordinal))
        {
            string file = "";
            List<Stage> stages = [];
            string[] lines = File.ReadAllLines(list);
            for (int n = 0; n < lines.Length; n++)
            {
                string line = lines[n].Trim();
                if (line.Length == 0 || line[0] == '#') continue;
                var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                switch (words[0])
                {
                    case "file":
                        (file, stages) = (words[1], []);
                        if (!File.Exists(Path.Combine(root, file))) throw Wrong($"there is no file {file}");
                        break;
                    case "cases": stages.Add(Cases(words[1..])); break;
                    case "classes": stages.Add(new(words[1], [.. words[2..].SelectMany(Class)])); break;
                    case "methods": stages.Add(new(words[1], [.. words[2..].SelectMany(m => (string[])["-method", "*." + m])])); break;
                    case "all": stages.Add(new(words[1], [])); break;
                    case "equivalent:" when all.Count > 0:
                        all[^1] = all[^1] with { Equivalent = line["equivalent:".Length..].Trim() }; break;
                    default: all.Add(Parse(line) ?? throw Wrong($"'{line}' is no mutation")); break;
                }

                Exception Wrong(string what) => new FormatException($"{Path.GetFileName(list)}({n + 1}): {what}");
            }

            Mutation? Parse(string line)
            {
                int open = line.IndexOf('⟦'), close = line.IndexOf('⟧'), arrow = line.LastIndexOf('⇒');
                if (open < 0 || close < open || arrow < close || file.Length == 0) return null;
                string after = line[(close + 1)..arrow];
                var parsed = new Mutation(all.Count + 1, file, line[..open], line[(open + 1)..close], after.TrimEnd(),
                    line[(arrow + 1)..].Trim(), [], null);
                int bar = line.IndexOf(" |", StringComparison.Ordinal);
                string own = parsed.IsText && bar > 0 ? line[..bar] : "";
                return parsed with
                {
                    Stages = own.Length > 0
                    ? [Cases([own.Replace("⟦", "", StringComparison.Ordinal)]) with { MayBeEmpty = true }, .. stages]
                    : [.. stages]
                };
            }
        }
        return all;
    }

    private static string[] Class(string word) => word[0] == '!' ? ["-method-", "*." + word[1..]] : ["-class", "*." + word];

    /// <summary>The cases of operators, of whatever domain.</summary>
    private static Stage Cases(IEnumerable<string> operators)
        => new(OperatorTests, [.. operators.SelectMany(o => (string[])["-displayName", $"*\"{o} *", "-displayName", $"*::{o} *"])]);
}
