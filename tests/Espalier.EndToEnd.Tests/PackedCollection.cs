using Espalier.TestKit;

namespace Espalier.EndToEnd.Tests;

/// <summary>Shares one feed among all tests of packages.</summary>
[CollectionDefinition(Name)]
public sealed class PackedCollection : ICollectionFixture<PackedFeed>
{
    /// <summary>Name of the collection.</summary>
    public const string Name = "packages";
}
