using System.Diagnostics;
using Espalier.Axes.Measurements;
using Espalier.Cli.Host;

namespace Espalier.Cli.Steps;

/// <summary>
/// Says on the error stream what is going on, how far it is and how long it will take, once the work takes longer than a second: one line
/// that is rewritten on a screen, elsewhere a line every ten seconds, and one before anything that will take longer than that. How long it
/// will take is measured on the later half of what is done of it: the first parts open sessions, and run code before it is optimized.
/// </summary>
internal sealed class StepProgress : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan EveryOnScreen = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan EveryInLog = TimeSpan.FromSeconds(10);

    /// <summary>From this time on code that runs often is optimized, and a rate is a measurement.</summary>
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(3);

    private readonly Terminal _terminal;
    private readonly string _subject;
    private readonly TimeProvider _clock;
    private readonly CancellationToken _cancellationToken;
    private readonly ITimer _timer;
    private readonly long _since;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, StepCost> _costs = new(StringComparer.Ordinal);

    /// <summary>How much of the step was done when, from the middle of it to the latest.</summary>
    private readonly Queue<(long Done, TimeSpan At)> _marks = [];

    private string? _step;
    private TimeSpan _begun;
    private WorkStep _shown;
    private TimeSpan _shownSince, _marked;
    private TimeSpan? _last;
    private bool _announced, _disposed;
    private int _width;

    /// <param name="subject">What is being worked on.</param>
    /// <param name="clock">For tests.</param>
    /// <param name="cancellationToken">Ends the work when it next says what it does.</param>
    public StepProgress(Terminal terminal, string subject, CancellationToken cancellationToken = default, TimeProvider? clock = null)
    {
        (_terminal, _subject, _cancellationToken, _clock) = (terminal, subject, cancellationToken, clock ?? TimeProvider.System);
        _since = _clock.GetTimestamp();
        // Work that says nothing for long is told of too.
        _timer = _clock.CreateTimer(_ => Show(), null, Patience, EveryOnScreen);
    }

    /// <summary>What steps cost so far, in the order in which they began first.</summary>
    public IReadOnlyList<StepCost> Costs
    {
        get
        {
            lock (_lock)
            {
                End();
                return [.. _costs.Values];
            }
        }
    }

    /// <summary>
    /// A step. While one that is counted is under way, its parts that are not do not take its place on the screen.
    /// </summary>
    /// <exception cref="OperationCanceledException">The work is to end.</exception>
    public void Step(WorkStep step)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            Begin(step.What);
            bool isUnderWay = _shown.Total > 0 && _shown.Done < _shown.Total;
            if (step.Total == 0 && isUnderWay) return;
            Mark(step);
            _shown = step;
        }
        Show();
    }

    /// <summary>A step with a known end.</summary>
    public void Step(string what, long done, long total) => Step(new WorkStep(what, done, total));

    /// <summary>Removes the line from the screen.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            if (_terminal.Interactive && _width > 0) _terminal.Error.Write("\r" + new string(' ', _width) + "\r");
        }
        _timer.Dispose();
    }

    private void Begin(string step)
    {
        // Said again with every batch.
        if (step == _step) return;
        End();
        _costs.TryAdd(step, new(step, 0, 0));
        (_step, _begun) = (step, Environment.CpuUsage.TotalTime);
    }

    private void End()
    {
        if (_step is null) return;
        var now = Environment.CpuUsage.TotalTime;
        using var process = Process.GetCurrentProcess();
        _costs[_step] = new(_step, _costs[_step].Seconds + (now - _begun).TotalSeconds, process.PeakWorkingSet64 / 1e6);
        _begun = now;
    }

    private void Show()
    {
        lock (_lock)
        {
            var now = _clock.GetElapsedTime(_since);
            if (_disposed || _shown.What is null || now < Patience) return;
            var (taken, left) = (now - _shownSince, Left(now));
            bool isLong = !_announced && left is { } estimate && taken + estimate > EveryInLog;
            if (_terminal.Interactive ? now - _last < EveryOnScreen : !isLong && now - (_last ?? TimeSpan.Zero) < EveryInLog) return;
            _last = now;
            _announced |= left is not null;
            var line = $"espalier: {_subject}: {Text(taken, left)}";
            if (!_terminal.Interactive)
            {
                _terminal.Error.WriteLine(line);
                return;
            }
            _terminal.Error.Write("\r" + line.PadRight(_width));
            _width = line.Length;
        }
    }

    private void Mark(WorkStep step)
    {
        var now = _clock.GetElapsedTime(_since);
        // A step that is done again counts from its start.
        if (step.What != _shown.What || step.Done < _shown.Done)
        {
            (_shownSince, _announced) = (now, false);
            _marks.Clear();
        }
        _marked = now;
        _marks.Enqueue((step.Done, now));
        while (_marks.Count > 2 && 2 * _marks.Peek().Done < step.Done) _marks.Dequeue();
    }

    /// <summary>From what is done; null before it tells.</summary>
    private TimeSpan? Left(TimeSpan now)
    {
        if (_shown.Done == 0 || _shown.Total == 0) return null;
        var (from, taken) = (_marks.Peek(), now - _shownSince);
        // The first part tells little. Where it is long, that is better than nothing.
        if (taken < (from.Done == 0 ? EveryInLog : Measured)) return null;
        double parts = _shown.Done - from.Done, rest = _shown.Total - _shown.Done;
        if (parts <= 0) return null;
        // A part under way that takes longer than they did counts too.
        var (each, under) = ((_marked - from.At) / parts, (now - from.At) / (parts + 1));
        return (each > under ? each : under) * rest;
    }

    private string Text(TimeSpan taken, TimeSpan? left)
    {
        string count = _shown.Total == 0 ? ""
            : FormattableString.Invariant($" {_shown.Done}{(_shown.IsBound ? " of at most " : "/")}{_shown.Total}");
        string time = left is { } estimate && _shown.Done < _shown.Total
            ? $", {(_shown.IsBound ? "at most " : "")}about {Durations.Text(estimate)} left"
            : taken >= Patience ? $", {Durations.Text(taken)}" : "";
        return _shown.What + count + time;
    }
}
