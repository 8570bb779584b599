namespace Espalier.Planning;

/// <summary>
/// Patterns over names: <c>*</c> stands for any run of characters, <c>?</c> for one; everything else for itself, case included.
/// </summary>
internal static class Glob
{
    /// <summary>Whether the pattern matches the whole name. Takes at most pattern × name steps: a pattern cannot make it slow.</summary>
    public static bool Matches(string pattern, string name)
    {
        int p = 0, n = 0, star = -1, resume = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*') (star, resume) = (p++, n);
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == name[n])) (p, n) = (p + 1, n + 1);
            else if (star >= 0) (p, n) = (star + 1, ++resume);
            else return false;
        }
        while (p < pattern.Length && pattern[p] == '*') p++;
        return p == pattern.Length;
    }
}
