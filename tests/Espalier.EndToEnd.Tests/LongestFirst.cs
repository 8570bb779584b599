using Espalier.EndToEnd.Tests.Adversaries;
using Espalier.EndToEnd.Tests.Build;
using Espalier.EndToEnd.Tests.Documents;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Espalier.EndToEnd.Tests.LongestFirst))]

namespace Espalier.EndToEnd.Tests;

/// <summary>The classes of this project that take longest.</summary>
public sealed class LongestFirst() : CollectionOrder(
    nameof(BuildTests), nameof(ShellTests), nameof(CodeTests), nameof(RefusedBuildTests), nameof(ScoredBuildTests),
    nameof(BuildAdversaryTests), nameof(SlimAdversaryTests), nameof(CalibratedBuildTests));
