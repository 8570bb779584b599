namespace Espalier;

/// <summary>Which products with a weight a rule on ranks takes.</summary>
public enum ProductKind
{
    /// <summary>All that its pattern matches.</summary>
    Any,
    /// <summary>
    /// Of these, those that make keys and values of attention and no queries, found by the softmax that runs over the keys.
    /// </summary>
    KeysAndValues,
}
