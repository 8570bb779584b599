[assembly: AssemblyFixture(typeof(Espalier.EndToEnd.Tests.Build.SharedFeed))]

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>One feed for all tests of packages, packed by the first of them; their classes run side by side.</summary>
public sealed class SharedFeed : IDisposable
{
    private readonly Lazy<PackedFeed> _feed = new(() => new PackedFeed());

    public PackedFeed Value => _feed.Value;

    public void Dispose()
    {
        if (_feed.IsValueCreated) _feed.Value.Dispose();
    }
}
