namespace Espalier.Planning;

/// <summary>How many units of a group stay for a wished number: multiples, floors, and pairs of KV groups and query heads.</summary>
internal static class KeptCount
{
    /// <summary>Channels that ONNX Runtime's convolution kernels compute at once on AVX-512 and ARM64: fewer cost the same time.</summary>
    public const int DefaultChannelMultiple = 16;

    /// <summary>The multiple that a rule asks for.</summary>
    /// <param name="roundTo">What the rule says; 0 for the kind's own.</param>
    /// <param name="channels">Whether the units are channels.</param>
    public static int Multiple(int roundTo, bool channels) => roundTo > 0 ? roundTo : channels ? DefaultChannelMultiple : 1;

    /// <summary>
    /// The nearest multiple of <paramref name="multiple"/> (a tie goes up), but not below the floor and never above
    /// <paramref name="size"/>. A group that is not larger than the multiple stays whole: removing units of it would not save time.
    /// </summary>
    /// <param name="wished">Wished number of units.</param>
    /// <param name="size">Units of the group.</param>
    /// <param name="multiple">What the result is a multiple of, unless the group stays whole.</param>
    /// <param name="floor">Fewest units that may stay; rounded up to a multiple.</param>
    public static int Round(double wished, int size, int multiple, int floor)
    {
        if (size <= multiple) return size;
        double nearest = Math.Floor(wished / multiple + 0.5 + 1e-9) * multiple;
        long least = ((long)Math.Max(floor, 1) + multiple - 1) / multiple * multiple;
        return (int)Math.Min(size, Math.Max(nearest, least));
    }

    /// <summary>
    /// The numbers of KV groups and of query heads per group whose product is nearest to <paramref name="wished"/> query heads.
    /// Of equal products the one with fewer KV groups is taken, because a whole group takes its keys and values (and their
    /// cache) along; of equally near ones the smaller product.
    /// </summary>
    /// <param name="wished">Wished number of query heads.</param>
    /// <param name="groups">KV groups: size, multiple and floor.</param>
    /// <param name="perGroup">Query heads per KV group: size, multiple and floor.</param>
    public static (int Groups, int PerGroup) Pair(double wished, (int Size, int Multiple, int Floor) groups,
        (int Size, int Multiple, int Floor) perGroup)
    {
        (int, int) best = (groups.Size, perGroup.Size);
        double bestDistance = double.PositiveInfinity;
        int bestProduct = int.MaxValue;
        foreach (int g in Choices(groups))
        {
            foreach (int q in Choices(perGroup))
            {
                double distance = Math.Abs((double)g * q - wished);
                bool nearer = distance < bestDistance - 1e-9;
                if (!nearer && !(distance <= bestDistance + 1e-9 && g * q < bestProduct)) continue;
                (best, bestDistance, bestProduct) = ((g, q), Math.Min(distance, bestDistance), g * q);
            }
        }
        return best;
    }

    private static IEnumerable<int> Choices((int Size, int Multiple, int Floor) axis)
        => Enumerable.Range(1, axis.Size).Where(n => Round(n, axis.Size, axis.Multiple, axis.Floor) == n);
}
