using Espalier.Pruning.Tests.Edits;
using Espalier.Pruning.Tests.Factoring;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Espalier.Pruning.Tests.LongestFirst))]

namespace Espalier.Pruning.Tests;

/// <summary>The classes of this project that take longest.</summary>
public sealed class LongestFirst() : CollectionOrder(
    nameof(TransformerTableTests), nameof(ConvolutionalTableTests), nameof(LowRankTests), nameof(PlantedMatrixTests),
    nameof(NetworkTests), nameof(InsideNetworkTests));
