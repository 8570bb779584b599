using Xunit.Sdk;
using Xunit.v3;

namespace Espalier.TestKit;

/// <summary>Starts with the classes that take longest, so that none of them is left to run alone at the end.</summary>
/// <param name="longest">Names of classes.</param>
public abstract class CollectionOrder(params string[] longest) : ITestCollectionOrderer
{
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection
        => [.. testCollections.OrderBy(c => Array.FindIndex(longest, n => c.TestCollectionDisplayName.Contains($".{n} ")) is >= 0 and var k
            ? k
            : longest.Length)];
}
