namespace Espalier.Mutations;

/// <summary>One change of the product that the tests should notice.</summary>
/// <param name="Number">From 1, over all lists.</param>
/// <param name="File">Path in the repository, with slashes.</param>
/// <param name="Before">What stands before the fragment and makes it the only one of its kind in the file.</param>
/// <param name="Old">The fragment: an expression, a statement, or in a table any text.</param>
/// <param name="After">What stands behind it.</param>
/// <param name="New">What takes its place.</param>
/// <param name="Stages">Tests to run, in this order, until one fails.</param>
/// <param name="Equivalent">Why no test can notice it; null where one should.</param>
internal sealed record Mutation(int Number, string File, string Before, string Old, string After, string New, IReadOnlyList<Stage> Stages,
    string? Equivalent)
{
    /// <summary>Name of the file without its folders.</summary>
    public string FileName => File[(File.LastIndexOf('/') + 1)..];

    /// <summary>Whether it changes the text of a table that the product parses, and no code.</summary>
    public bool IsText => FileName.StartsWith("OperatorTable", StringComparison.Ordinal);

    public override string ToString() => $"{FileName}: {(Before.Length > 60 ? "…" + Before[^60..] : Before)}⟦{Old} ⇒ {New}⟧";
}

/// <summary>Some tests of one project.</summary>
/// <param name="Project">Name of the test project.</param>
/// <param name="Arguments">Filters of its runner; none for all of its tests.</param>
/// <param name="MayBeEmpty">Whether it is passed over where no test is like that.</param>
internal sealed record Stage(string Project, IReadOnlyList<string> Arguments, bool MayBeEmpty = false)
{
    /// <summary>The same as one string, for comparing and showing.</summary>
    public string Key { get; } = string.Join(' ', [Project, .. Arguments]);
}
