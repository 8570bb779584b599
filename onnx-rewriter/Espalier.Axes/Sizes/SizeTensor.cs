namespace Espalier.Axes.Sizes;

/// <summary>An integer tensor of any rank whose elements are known, or are expressions over sizes.</summary>
/// <param name="Dims">Sizes of its axes.</param>
/// <param name="Elements">Row-major; null where nothing is known of an element.</param>
/// <param name="IsReal">The elements went through a Cast to floating point: whole numbers all the same, but a division is one
/// of real numbers.</param>
internal sealed record SizeTensor(int[] Dims, SizeValue?[] Elements, bool IsReal = false)
{
    /// <summary>More elements than this are data, not sizes.</summary>
    public const int MaxElements = 1024;

    public static SizeTensor Scalar(SizeValue? element) => new([], [element]);

    public static SizeTensor Vector(SizeValue?[] elements) => new([elements.Length], elements);

    public int Rank => Dims.Length;

    public bool DependsOnSizes => Array.Exists(Elements, e => e?.DependsOnSizes == true);

    /// <summary>The numbers, where every element is one.</summary>
    public long[]? Numbers
    {
        get
        {
            var numbers = new long[Elements.Length];
            for (int k = 0; k < numbers.Length; k++)
            {
                if (Elements[k]?.Number is not { } n) return null;
                numbers[k] = n;
            }
            return numbers;
        }
    }

    /// <summary>The same elements under another shape.</summary>
    public SizeTensor As(params int[] dims) => this with { Dims = dims };

    public SizeTensor? Select(Func<SizeValue, SizeValue?> map)
        => this with { Elements = [.. Elements.Select(e => e is null ? null : map(e))] };

    /// <summary>
    /// Elements at a constant distance along every axis: what transposing, slicing, repeating and broadcasting have in common.
    /// </summary>
    /// <param name="offset">Index of the first.</param>
    /// <param name="dims">Sizes of the result.</param>
    /// <param name="strides">Per axis of the result, the distance of neighbours.</param>
    /// <returns>Null where there would be more.</returns>
    public SizeTensor? View(int offset, int[] dims, int[] strides, int limit)
    {
        if (Count(dims, limit) is not { } count) return null;
        var elements = new SizeValue?[count];
        var at = new int[dims.Length];
        for (int k = 0, from = offset; k < count; k++)
        {
            elements[k] = Elements[from];
            for (int axis = dims.Length - 1; axis >= 0; axis--)
            {
                from += strides[axis];
                if (++at[axis] < dims[axis]) break;
                from -= at[axis] * strides[axis];
                at[axis] = 0;
            }
        }
        return new(dims, elements, IsReal);
    }

    /// <summary>Distances of neighbours along every axis.</summary>
    public int[] Strides
    {
        get
        {
            var strides = new int[Rank];
            for (int axis = Rank - 1, stride = 1; axis >= 0; axis--)
            {
                strides[axis] = stride;
                stride *= Dims[axis];
            }
            return strides;
        }
    }

    /// <summary>The tensor repeated along axes of size 1; null where the shapes do not fit, or the result is too long.</summary>
    public SizeTensor? Broadcast(int[] dims, int limit)
    {
        if (dims.Length < Rank) return null;
        var strides = new int[dims.Length];
        int lead = dims.Length - Rank;
        var own = Strides;
        for (int axis = 0; axis < Rank; axis++)
        {
            if (Dims[axis] != dims[lead + axis] && Dims[axis] != 1) return null;
            strides[lead + axis] = Dims[axis] == 1 ? 0 : own[axis];
        }
        return View(0, dims, strides, limit);
    }

    /// <summary>The shape of an element-wise result; null where the shapes do not fit.</summary>
    public static int[]? Common(params ReadOnlySpan<int[]> shapes)
    {
        int rank = 0;
        foreach (var shape in shapes) rank = Math.Max(rank, shape.Length);
        var dims = new int[rank];
        Array.Fill(dims, 1);
        foreach (var shape in shapes)
            for (int k = 1; k <= shape.Length; k++)
            {
                if (shape[^k] == 1) continue;
                if (dims[^k] != 1 && dims[^k] != shape[^k]) return null;
                dims[^k] = shape[^k];
            }
        return dims;
    }

    /// <summary>Parts one after the other along an axis; null where they do not fit.</summary>
    public static SizeTensor? Concat(IReadOnlyList<SizeTensor> parts, int axis, int limit)
    {
        var first = parts[0].Dims;
        if (axis < 0 || axis >= first.Length) return null;
        if (parts.Any(p => p.Rank != first.Length || p.Dims.Where((d, k) => k != axis && d != first[k]).Any())) return null;
        int[] dims = [.. first[..axis], parts.Sum(p => p.Dims[axis]), .. first[(axis + 1)..]];
        if (Count(dims, limit) is not { } count) return null;
        var elements = new List<SizeValue?>(count);
        int outer = Count(dims[..axis], limit) ?? 0, inner = Count(dims[(axis + 1)..], limit) ?? 0;
        for (int o = 0; o < outer; o++)
            foreach (var part in parts)
                elements.AddRange(part.Elements.AsSpan(o * part.Dims[axis] * inner, part.Dims[axis] * inner));
        return new(dims, [.. elements], parts.Any(p => p.IsReal));
    }

    /// <summary>The number of elements; null where it is more than the limit.</summary>
    public static int? Count(ReadOnlySpan<int> dims, int limit)
    {
        long count = 1;
        foreach (int d in dims)
        {
            if (d < 0) return null;
            if (d == 0) return 0;
            if ((count *= d) > limit) return null;
        }
        return (int)count;
    }
}
