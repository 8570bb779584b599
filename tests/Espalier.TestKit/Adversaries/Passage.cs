using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Manifests;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Limits;
using Espalier.Pruning;
using Espalier.Pruning.Budgets;
using Espalier.Pruning.Plans;

namespace Espalier.TestKit.Adversaries;

/// <summary>How the way of a file through the product ended.</summary>
internal enum Ending
{
    /// <summary>Something was removed, and what was written opens.</summary>
    Slimmed,

    /// <summary>It opened; nothing of it can be removed exactly.</summary>
    NothingExact,

    /// <summary>It is no model.</summary>
    RefusedAtOpening,

    /// <summary>It opened, and a typed refusal came afterwards.</summary>
    RefusedLater,

    /// <summary>
    /// An exception of no type that a user may see, a bound that does not hold, or a file that is wrong.
    /// </summary>
    Finding,
}

/// <summary>One way through the product.</summary>
/// <param name="Ending">How it ended.</param>
/// <param name="Stage">Where.</param>
/// <param name="Exception">With what; null where all went well, or a bound is at fault.</param>
/// <param name="Time">Processor time of the thread.</param>
/// <param name="Allocated">Bytes that were allocated: at least as many as were ever held.</param>
internal sealed record Passed(Ending Ending, string Stage, Exception? Exception, TimeSpan Time, long Allocated)
{
    /// <summary>The bound that does not hold; null where all do.</summary>
    public string? Bound { get; init; }

    /// <summary>Most bytes that were held, or held and garbage where that is below the bound.</summary>
    public long Held { get; init; }

    /// <summary>Type and place of the exception, or the bound: equal ones are the same finding.</summary>
    public string Key => Bound is not null || Exception is null ? $"{Bound ?? Ending.ToString()} in {Stage}"
        : string.Join(" < ", [$"{Exception.GetType().Name} in {Stage}", .. Frames(Exception)]);

    private static IEnumerable<string> Frames(Exception e)
        => new StackTrace(e).GetFrames().Select(f => f.GetMethod())
            .Where(m => m?.DeclaringType?.FullName?.StartsWith("Espalier.", StringComparison.Ordinal) == true
            && m.DeclaringType.Assembly != typeof(Passed).Assembly).Select(m => $"{m!.DeclaringType!.Name}.{m.Name}").Take(4);
}

/// <summary>
/// What a user's file goes through: opening, inference, the figures of <c>inspect</c>, half of everything
/// exact removed by the weights alone,
/// writing, and opening of what was written. It ends well, or in one exception that the command line turns
/// into a message.
/// </summary>
internal static class Passage
{
    private static readonly Axis[] Axes =
        [Axis.Channels, Axis.Neurons, Axis.KeyValueGroups, Axis.Heads, Axis.Experts, Axis.HiddenState, Axis.HeadDims,
            Axis.ValueDims, Axis.Width];

    /// <summary>Stack of the thread: what Windows gives a main thread, and less than others do.</summary>
    private const int Stack = 1 << 20;

    /// <summary>
    /// Processor time that a file may take: two seconds, and as many for each megabyte above the first.
    /// </summary>
    public static TimeSpan MostTime(long length) => TimeSpan.FromSeconds(2 * Math.Max(1, length / 1e6));

    /// <summary>Bytes that may be held while a file is worked on: ten times the file, and 64 MB.</summary>
    public static long MostHeld(long length) => (10 * length) + (64L << 20);

    /// <summary>
    /// The same with eight kilobytes for each node, once functions stand where they are called: its messages,
    /// terms and records, of both models.
    /// </summary>
    private static long MostHeldOf(byte[] bytes)
    {
        try
        {
            using var model = OnnxModel.Parse(bytes);
            using var whole = FunctionInliner.Inline(model);
            return MostHeld(bytes.Length) + (8192L * whole.Proto.Graph.WithSubgraphs().Sum(g => g.Node.Count));
        }
        catch (OnnxFormatException)
        {
            return MostHeld(bytes.Length);
        }
    }

    /// <summary>
    /// The way, on a thread of its own, against the bounds. One that seems to break them goes again, warm and
    /// measured.
    /// </summary>
    public static Passed Check(byte[] bytes)
    {
        var (passed, most) = Watched(bytes, collects: false);
        if (passed.Ending == Ending.Finding) return passed;
        for (int again = 0; again < 2 && passed.Time > MostTime(bytes.Length); again++) (passed, _) = Watched(bytes, collects: false);
        if (passed.Time > MostTime(bytes.Length)) return passed with { Ending = Ending.Finding, Bound = "time" };
        if (Math.Min(most, passed.Allocated) <= MostHeld(bytes.Length)) return passed with { Held = Math.Min(most, passed.Allocated) };
        (_, most) = Watched(bytes, collects: true);
        passed = passed with { Held = most };
        return most > MostHeldOf(bytes) ? passed with { Ending = Ending.Finding, Bound = "memory" } : passed;
    }

    /// <summary>
    /// The way, and most bytes that were held at once, seen from beside: with what is garbage already, or
    /// collected again and again.
    /// </summary>
    private static (Passed Passed, long Most) Watched(byte[] bytes, bool collects)
    {
        Passed passed = null!;
        long before = GC.GetTotalMemory(collects), most = 0;
        var thread = new Thread(() => passed = Run(bytes), Stack);
        thread.Start();
        while (!thread.Join(collects ? 20 : 1))
        {
            if (collects) GC.Collect();
            most = Math.Max(most, GC.GetTotalMemory(false) - before);
        }
        // What is over before anybody looked has allocated no more than it did.
        return (passed, most == 0 ? passed.Allocated : most);
    }

    private static Passed Run(byte[] bytes)
    {
        var (time, allocated) = (Processor.Time, GC.GetAllocatedBytesForCurrentThread());
        string stage = "opening";
        var ending = Ending.Finding;
        Exception? exception = null;
        try
        {
            ending = Go(bytes, s => stage = s);
        }
        catch (Exception e) when (e is not InsufficientExecutionStackException)
        {
            ending = e is OnnxFormatException ? stage == "opening" ? Ending.RefusedAtOpening : Ending.RefusedLater
                : e is EspalierException ? Ending.RefusedLater : Ending.Finding;
            // What we wrote ourselves opens.
            if (stage is "opening what was written") ending = Ending.Finding;
            exception = e;
        }
        return new(ending, stage, exception, Processor.Time - time, GC.GetAllocatedBytesForCurrentThread() - allocated);
    }

    private static Ending Go(byte[] bytes, Action<string> at)
    {
        using var model = OnnxModel.Parse(bytes);
        at("saving what is unchanged");
        if (!model.ToBytes().AsSpan().SequenceEqual(bytes)) throw new InvalidDataException("An unchanged model is not what it was.");
        at("inference");
        var analysis = AxisAnalysis.Run(model);
        at("figures");
        Inspect(analysis);
        at("slimming");
        var plan = Half(analysis);
        if (plan.Prune.Count == 0) return Ending.NothingExact;
        var slim = Slimmer.Run(plan, analysis);
        if (slim.Model == model) return Ending.NothingExact;
        using (slim.Model)
        {
            at("writing");
            var written = slim.Model.ToBytes();
            at("opening what was written");
            OnnxModel.Parse(written).Dispose();
        }
        return Ending.Slimmed;
    }

    /// <summary>What <c>inspect</c> prints and writes.</summary>
    private static void Inspect(AxisAnalysis analysis)
    {
        FileCost.Before(analysis);
        foreach (var unit in Enum.GetValues<CostUnit>())
        {
            analysis.Cost.Evaluate(unit);
            foreach (var block in analysis.Blocks) analysis.Cost.Evaluate(unit, null, block.Sublayers.ToHashSet());
        }
        ManifestWriter.Write(analysis, "model.onnx", "", 0);
    }

    /// <summary>The plan of half of everything exact, by the weights alone and to the unit.</summary>
    public static PruningPlan Half(AxisAnalysis analysis) => new()
    {
        Model = "model.onnx",
        Prune =
        [
            .. Axes.Select(axis => (Axis: axis, Groups: AxisRow.Get(axis).Kinds is { Count: > 0 } kinds
                ? analysis.Groups.Where(g => g.Kind == kinds[0] && g.Exactness == Exactness.Exact).Select(g => g.Name)
                    .ToImmutableArray() : []))
                .Where(rule => rule.Groups.Length > 0)
                .Select(rule => new PruneRule { Name = $"half of {rule.Axis}", Axis = rule.Axis, Groups = rule.Groups, Keep = 0.5,
                    RoundTo = 1, Score = Criterion.L2, Compensate = Compensation.None }),
        ],
    };
}

/// <summary>Processor time of a thread.</summary>
internal static partial class Processor
{
    private const int ThreadClock = 3, ThreadClockOfMac = 16;

    /// <summary>Processor time of this thread; elapsed time where the system does not say it.</summary>
    public static TimeSpan Time => !OperatingSystem.IsWindows()
        && clock_gettime(OperatingSystem.IsMacOS() ? ThreadClockOfMac : ThreadClock, out var time) == 0
        ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / 100)
        : Stopwatch.GetElapsedTime(0);

    private readonly struct Moment
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }

    [DllImport("libc")]
    private static extern int clock_gettime(int clock, out Moment time);
}
