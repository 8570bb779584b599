using System.Text;

namespace Espalier.Generator.Tests;

/// <summary>Source with marked spans: <c>{|ESP0003:Prune(…)|}</c>.</summary>
internal static class Markup
{
    /// <summary>The source without marks, and the marked spans in order.</summary>
    public static (string Source, List<(string Id, int Start, int Length)> Spans) Parse(string marked)
    {
        var source = new StringBuilder();
        var spans = new List<(string, int, int)>();
        var open = new Stack<(string Id, int Start)>();
        for (var i = 0; i < marked.Length; i++)
        {
            if (marked.AsSpan(i).StartsWith("{|ESP"))
            {
                var colon = marked.IndexOf(':', i);
                open.Push((marked[(i + 2)..colon], source.Length));
                i = colon;
            }
            else if (open.Count > 0 && marked.AsSpan(i).StartsWith("|}"))
            {
                var (id, start) = open.Pop();
                spans.Add((id, start, source.Length - start));
                i++;
            }
            else source.Append(marked[i]);
        }
        Assert.Empty(open);
        return (source.ToString(), [.. spans.OrderBy(s => s.Item2).ThenBy(s => s.Item1, StringComparer.Ordinal)]);
    }
}
