namespace Espalier.Planning;

/// <summary>What a pattern that matches nothing may have meant.</summary>
internal static class NearestPattern
{
    /// <summary>
    /// The least number of edits that make the pattern match the name, and the pattern so edited: an alignment in which
    /// <c>*</c> takes any run for nothing. So <c>encodr.*</c> is one edit from <c>encoder.layer.0</c>, and <c>encoder.*</c> is
    /// what was meant.
    /// </summary>
    public static (int Distance, string Corrected) Find(string pattern, string name)
    {
        int rows = pattern.Length, columns = name.Length;
        var cost = new int[rows + 1, columns + 1];
        for (var j = 1; j <= columns; j++) cost[0, j] = j;
        for (var i = 1; i <= rows; i++)
        {
            var wild = pattern[i - 1] == '*';
            cost[i, 0] = cost[i - 1, 0] + (wild ? 0 : 1);
            for (var j = 1; j <= columns; j++)
            {
                cost[i, j] = wild
                    ? Math.Min(cost[i - 1, j], cost[i, j - 1])
                    : Math.Min(cost[i - 1, j - 1] + (pattern[i - 1] == '?' || pattern[i - 1] == name[j - 1] ? 0 : 1),
                        1 + Math.Min(cost[i - 1, j], cost[i, j - 1]));
            }
        }
        var corrected = new List<char>();
        for (int i = rows, j = columns; i > 0 || j > 0;)
        {
            if (i > 0 && pattern[i - 1] == '*')
            {
                if (cost[i, j] == cost[i - 1, j])
                {
                    corrected.Add('*');
                    i--;
                }
                else j--;
            }
            else if (i > 0 && j > 0 && cost[i, j] == cost[i - 1, j - 1] + (pattern[i - 1] == '?' || pattern[i - 1] == name[j - 1] ? 0 : 1))
            {
                corrected.Add(pattern[i - 1] == '?' ? '?' : name[j - 1]);
                (i, j) = (i - 1, j - 1);
            }
            else if (j > 0 && cost[i, j] == cost[i, j - 1] + 1) corrected.Add(name[--j]);
            else i--;
        }
        corrected.Reverse();
        return (cost[rows, columns], new string([.. corrected]));
    }
}
