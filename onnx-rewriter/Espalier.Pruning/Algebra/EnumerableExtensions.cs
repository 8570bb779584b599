namespace Espalier.Pruning.Algebra;

/// <summary>Runs and ends of sequences.</summary>
internal static class EnumerableExtensions
{
    /// <summary>Neighbours with equal keys, as one list each.</summary>
    public static IEnumerable<List<T>> ChunkBy<T, TKey>(this IEnumerable<T> items, Func<T, TKey> key)
    {
        List<T>? open = null;
        foreach (var item in items)
        {
            if (open is not null && EqualityComparer<TKey>.Default.Equals(key(open[^1]), key(item)))
            {
                open.Add(item);
                continue;
            }
            if (open is not null) yield return open;
            open = [item];
        }
        if (open is not null) yield return open;
    }

    /// <summary>The first and the last item; of one it is twice the same.</summary>
    public static IEnumerable<T> Ends<T>(this IReadOnlyList<T> items) => items.Count == 0 ? [] : [items[0], items[^1]];
}
