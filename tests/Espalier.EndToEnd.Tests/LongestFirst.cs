using Espalier.EndToEnd.Tests.Adversaries;
using Espalier.EndToEnd.Tests.Build;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Espalier.EndToEnd.Tests.LongestFirst))]

namespace Espalier.EndToEnd.Tests;

/// <summary>Starts with the classes that take longest, so that none of them is left to run alone at the end.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Longest =
    [
        nameof(BuildTests), nameof(RefusedBuildTests), nameof(ScoredBuildTests), nameof(BuildAdversaryTests),
        nameof(SlimAdversaryTests), nameof(CalibratedBuildTests),
    ];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection
        => [.. testCollections.OrderBy(c => Array.FindIndex(Longest, n => c.TestCollectionDisplayName.Contains($".{n} ")) is >= 0 and var k
            ? k
            : Longest.Length)];
}
