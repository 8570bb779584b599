using System.Collections;

namespace Espalier.Calibration.Inputs;

/// <summary>Some items of a list, made when they are asked for.</summary>
/// <param name="count">How many.</param>
/// <param name="item">The n-th.</param>
internal sealed class Picked<T>(int count, Func<int, T> item) : IReadOnlyList<T>
{
    public int Count => count;

    public T this[int index] => item(index);

    public IEnumerator<T> GetEnumerator()
    {
        for (int i = 0; i < count; i++) yield return item(i);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
