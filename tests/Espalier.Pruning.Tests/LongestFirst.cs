using Espalier.Pruning.Tests.Edits;
using Espalier.Pruning.Tests.Factoring;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Espalier.Pruning.Tests.LongestFirst))]

namespace Espalier.Pruning.Tests;

/// <summary>Starts with the classes that take longest, so that none of them is left to run alone at the end.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Longest =
    [
        nameof(TransformerTableTests), nameof(ConvolutionalTableTests), nameof(LowRankTests), nameof(PlantedMatrixTests),
        nameof(NetworkTests), nameof(InsideNetworkTests),
    ];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection
        => [.. testCollections.OrderBy(c => Array.FindIndex(Longest, n => c.TestCollectionDisplayName.Contains($".{n} ")) is >= 0 and var k
            ? k
            : Longest.Length)];
}
