using Espalier.Axes.Measurements;
using Espalier.Cli.Host;
using Espalier.Cli.Steps;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>What is said while work goes on, by a clock that the test moves.</summary>
public sealed class StepProgressTests
{
    private readonly StringWriter _text = new();
    private readonly Clock _clock = new();

    private string[] Lines => _text.ToString().ReplaceLineEndings("\n").Split('\n', StringSplitOptions.RemoveEmptyEntries);

    [Fact]
    public void In_a_log_long_work_is_announced_with_a_measured_estimate_and_then_told_every_ten_seconds()
    {
        using var progress = Progress(interactive: false);
        progress.Step("calibrating", 0, 256);
        _clock.Pass(2);
        progress.Step("calibrating", 8, 256);
        Assert.Empty(Lines);
        for (int second = 1; second < 10; second++)
        {
            _clock.Pass(1);
            progress.Step("calibrating", 8 + (4 * second), 256);
        }
        Assert.Equal(["espalier: slim: calibrating 12/256, about 61 s left"], Lines);
        _clock.Pass(2);
        Assert.StartsWith("espalier: slim: calibrating 44/256, about ", Lines[^1], StringComparison.Ordinal);
        Assert.Equal(2, Lines.Length);
    }

    /// <summary>The first of many opens what the others find open.</summary>
    [Fact]
    public void What_comes_first_is_not_taken_for_what_all_take()
    {
        using var progress = Progress(interactive: false);
        progress.Step("trying choices", 0, 120);
        _clock.Pass(1.6);
        progress.Step("trying choices", 1, 120);
        for (int done = 2; done < 120; done++)
        {
            _clock.Pass(0.1);
            progress.Step("trying choices", done, 120);
        }
        Assert.Equal("espalier: slim: trying choices 14/120, about 11 s left", Lines[0]);
    }

    /// <summary>Fits are made once to look ahead, and then again; what was measured of the first says nothing then.</summary>
    [Fact]
    public void A_step_that_begins_again_counts_from_its_start()
    {
        using var progress = Progress(interactive: false);
        foreach (int done in (int[])[0, 2, 3, 4, 1])
        {
            progress.Step("fitting", done, 4);
            _clock.Pass(5);
        }
        progress.Step("fitting", 2, 4);
        _clock.Pass(7);
        Assert.Contains("fitting 2/4, about ", Lines[^1], StringComparison.Ordinal);
    }

    /// <summary>A first part that is long is all there is to tell by.</summary>
    [Fact]
    public void A_long_first_part_is_better_than_nothing()
    {
        using var progress = Progress(interactive: false);
        progress.Step("calibrating", 0, 256);
        _clock.Pass(8);
        progress.Step("calibrating", 64, 256);
        Assert.Empty(Lines);
        _clock.Pass(2);
        Assert.Equal(["espalier: slim: calibrating 64/256, about 30 s left"], Lines);
    }

    [Fact]
    public void Short_work_says_nothing_in_a_log()
    {
        using var progress = Progress(interactive: false);
        for (int done = 0; done <= 8; done++)
        {
            progress.Step("calibrating", done, 8);
            _clock.Pass(0.4);
        }
        progress.Step("slimming");
        _clock.Pass(2);
        Assert.Empty(Lines);
    }

    /// <summary>Nothing is said by the work itself, as by a calibration method that takes long.</summary>
    [Fact]
    public void Work_that_is_not_counted_is_told_of_too()
    {
        using var progress = Progress(interactive: false);
        progress.Step("reading calibration data");
        _clock.Pass(25);
        Assert.Equal(["espalier: slim: reading calibration data, 10 s", "espalier: slim: reading calibration data, 20 s"], Lines);
    }

    /// <summary>A screen shows the total before the first of it is done; parts of a step that is counted do not take its place.</summary>
    [Fact]
    public void A_screen_shows_how_far_it_is_and_what_is_left_of_it_goes()
    {
        using (var progress = Progress(interactive: true))
        {
            _clock.Pass(1.1);
            progress.Step(new WorkStep("trying choices", 0, 40) { IsBound = true });
            progress.Step("fitting a trial");
            _clock.Pass(1);
            progress.Step(new WorkStep("trying choices", 2, 40) { IsBound = true });
            progress.Step("fitting a trial");
            _clock.Pass(2);
            progress.Step(new WorkStep("trying choices", 4, 40) { IsBound = true });
            progress.Step("fitting a trial");
            _clock.Pass(0.3);
        }
        string text = _text.ToString();
        Assert.Contains("\respalier: slim: trying choices 0 of at most 40", text, StringComparison.Ordinal);
        Assert.Contains("\respalier: slim: trying choices 4 of at most 40, at most about ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("fitting", text, StringComparison.Ordinal);
        Assert.EndsWith(" \r", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Work_that_is_to_end_ends_when_it_says_what_it_does()
    {
        using var source = new CancellationTokenSource();
        using var progress = new StepProgress(new Terminal(_text, _text, interactive: false), "slim", source.Token, _clock);
        progress.Step("scoring");
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => progress.Step("allocating"));
    }

    private StepProgress Progress(bool interactive) => new(new Terminal(_text, _text, interactive), "slim", default, _clock);

    /// <summary>Its timers tick ten times a second.</summary>
    private sealed class Clock : TimeProvider
    {
        private readonly List<(TimerCallback Callback, object? State)> _timers = [];
        private long _now;

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => _now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _timers.Add((callback, state));
            return new Timer();
        }

        public void Pass(double seconds)
        {
            for (long end = _now + (long)(seconds * 1000); _now < end;)
            {
                _now = Math.Min(end, _now + 100);
                foreach (var (callback, state) in _timers) callback(state);
            }
        }

        private sealed class Timer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
