using System.Diagnostics;
using Espalier.Cli.Host;

namespace Espalier.Cli.Steps;

/// <summary>
/// Says on the error stream what is going on, once the work takes longer than a second: one line that is rewritten on a screen,
/// a line every five seconds elsewhere.
/// </summary>
internal sealed class StepProgress(Terminal terminal, string subject) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan EveryOnScreen = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan EveryInLog = TimeSpan.FromSeconds(5);

    private readonly Stopwatch _since = Stopwatch.StartNew();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, StepCost> _costs = new(StringComparer.Ordinal);
    private string? _step;
    private TimeSpan _begun;
    private TimeSpan? _last;
    private int _width;

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

    /// <summary>A step of unknown length.</summary>
    public void Step(string what)
    {
        lock (_lock) Begin(what);
        Show(what);
    }

    /// <summary>A step with a known end.</summary>
    public void Step(string what, long done, long total)
    {
        lock (_lock) Begin(what);
        Show(total > 0 ? FormattableString.Invariant($"{what} {done}/{total}") : FormattableString.Invariant($"{what} {done}"));
    }

    /// <summary>Removes the line from the screen.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (terminal.Interactive && _width > 0) terminal.Error.Write("\r" + new string(' ', _width) + "\r");
            _width = 0;
        }
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

    private void Show(string what)
    {
        lock (_lock)
        {
            var now = _since.Elapsed;
            if (now < Patience || (_last is { } last && now - last < (terminal.Interactive ? EveryOnScreen : EveryInLog))) return;
            _last = now;
            var line = $"espalier: {subject}: {what}";
            if (!terminal.Interactive)
            {
                terminal.Error.WriteLine(line);
                return;
            }
            terminal.Error.Write("\r" + line.PadRight(_width));
            _width = line.Length;
        }
    }
}
