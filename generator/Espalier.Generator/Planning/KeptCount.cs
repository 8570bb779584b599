namespace Espalier.Generator.Planning;

/// <summary>How many units stay for a wished number. The same arithmetic as <c>Espalier.Pruning.KeptCount</c>, which the generator cannot load; the tests compare both.</summary>
internal static class KeptCount
{
    public const int DefaultChannelMultiple = 16;

    public static int Multiple(int roundTo, string kind) => roundTo > 0 ? roundTo : kind == "channels" ? DefaultChannelMultiple : 1;

    /// <summary>The nearest multiple (a tie goes up), at least the floor, at most the size; a group not larger than the multiple stays whole.</summary>
    public static int Round(double wished, int size, int multiple, int floor)
    {
        if (size <= multiple) return size;
        var nearest = Math.Floor((wished / multiple) + 0.5 + 1e-9) * multiple;
        var least = ((long)Math.Max(floor, 1) + multiple - 1) / multiple * multiple;
        return (int)Math.Min(size, Math.Max(nearest, least));
    }

    /// <summary>Numbers of KV groups and of query heads per group whose product is nearest to the wished number of query heads; then fewer heads, then fewer KV groups.</summary>
    public static (int Groups, int PerGroup) Pair(double wished, (int Size, int Multiple, int Floor) groups, (int Size, int Multiple, int Floor) perGroup)
    {
        var best = (Groups: groups.Size, PerGroup: perGroup.Size);
        var bestDistance = double.PositiveInfinity;
        var bestProduct = int.MaxValue;
        foreach (var g in Choices(groups))
        {
            foreach (var q in Choices(perGroup))
            {
                var distance = Math.Abs(((double)g * q) - wished);
                var nearer = distance < bestDistance - 1e-9;
                if (!nearer && !(distance <= bestDistance + 1e-9 && g * q < bestProduct)) continue;
                (best, bestDistance, bestProduct) = ((g, q), Math.Min(distance, bestDistance), g * q);
            }
        }
        return best;
    }

    private static IEnumerable<int> Choices((int Size, int Multiple, int Floor) axis)
        => Enumerable.Range(1, axis.Size).Where(n => Round(n, axis.Size, axis.Multiple, axis.Floor) == n);
}
