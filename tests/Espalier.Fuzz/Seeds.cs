using Espalier.Axes.Tests;
using Google.Protobuf;

namespace Espalier.Fuzz;

/// <summary>Files to begin with.</summary>
internal static class Seeds
{
    private const long Small = 60_000;

    /// <summary>
    /// Small ones: the cases of every operator, models that say what no builder would, structures and
    /// malformed files.
    /// </summary>
    public static IEnumerable<(string Name, byte[] Bytes)> ForFuzzing()
    {
        foreach (var @case in OperatorCases.All)
        {
            using var model = @case.Build();
            yield return (@case.Name, model.ToBytes());
        }
        foreach (var (name, make) in SmallModels.All) yield return (name, make().ToByteArray());
        foreach (var seed in MutationSeed.In(Path.Combine(Assets.Root, "tests/assets/cases"), Small)) yield return (seed.Name, seed.Bytes);
        if (Models.Folder is { } real) foreach (var seed in MutationSeed.In(real, Small)) yield return (seed.Name, seed.Bytes);
    }

    /// <summary>
    /// Real files: the networks of the repository, its cases, and the models outside of it where there are
    /// any.
    /// </summary>
    public static List<MutationSeed> Real() =>
    [
        .. Assets.Networks().Select(n => MutationSeed.From(n, File.ReadAllBytes(Assets.Path(n)))),
        .. MutationSeed.In(Path.Combine(Assets.Root, "tests/assets/cases"), long.MaxValue),
        .. Models.Folder is { } real ? MutationSeed.In(real, long.MaxValue) : [],
    ];
}
