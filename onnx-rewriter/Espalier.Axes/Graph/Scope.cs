namespace Espalier.Axes.Graph;

/// <summary>One graph of the model: the main one, or the branch of an If.</summary>
internal sealed class Scope(int id, Scope? outer)
{
    public int Id { get; } = id;
    public Scope? Outer { get; } = outer;
    public Dictionary<string, TensorState> Tensors { get; } = new(StringComparer.Ordinal);

    public TensorState? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
            if (scope.Tensors.TryGetValue(name, out var state)) return state;
        return null;
    }
}
