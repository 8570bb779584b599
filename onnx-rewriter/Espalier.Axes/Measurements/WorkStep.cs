namespace Espalier.Axes.Measurements;

/// <summary>
/// Work that is under way. What is counted is said before it begins, with how much of it there is, again as it goes on, and once all of it
/// is done.
/// </summary>
/// <param name="What">What is being done.</param>
/// <param name="Done">How much of it is done.</param>
/// <param name="Total">How much of it there is; 0 where nobody counts.</param>
internal readonly record struct WorkStep(string What, long Done = 0, long Total = 0)
{
    /// <summary>Whether there is no more of it than <see cref="Total"/>, and maybe less.</summary>
    public bool IsBound { get; init; }

    public static implicit operator WorkStep(string what) => new(what);
}
