using System.Diagnostics;
using Espalier.Axes;
using Espalier.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Fuzz;

/// <summary>
/// The oracle on some of the files that could be slimmed, in a process of its own: ONNX Runtime may end it,
/// where a file is wrong enough.
/// </summary>
internal sealed class Judge(string folder, Findings findings) : IDisposable
{
    /// <summary>In the place of line breaks: a verdict is one line.</summary>
    private const char Break = '\u00b6';

    private const long MostElements = 1 << 20;
    private static readonly TimeSpan MostWaiting = TimeSpan.FromSeconds(60);

    private readonly SortedDictionary<string, int> _verdicts = new(StringComparer.Ordinal);
    private Process? _child;

    /// <summary>Where files wait for it.</summary>
    public string Folder { get; } = Directory.CreateDirectory(folder).FullName;

    /// <summary>What it said, and how often.</summary>
    public string Text => _verdicts.Count == 0 ? "oracle: nothing"
        : "oracle: " + string.Join(", ", _verdicts.Select(v => $"{v.Value} {v.Key}"));

    /// <summary>Judges what waits.</summary>
    public void Work(TimeSpan most)
    {
        var watch = Stopwatch.StartNew();
        foreach (var file in Directory.EnumerateFiles(Folder, "*.onnx").ToList())
        {
            if (watch.Elapsed > most) return;
            string verdict = Ask(file);
            string kind = verdict.Split(':')[0];
            _verdicts[kind] = _verdicts.GetValueOrDefault(kind) + 1;
            if (kind is "different" or "failed") findings.Add($"{kind} {Place(verdict)}", verdict.Replace(Break, '\n'),
                File.ReadAllBytes(file));
            File.Delete(file);
        }
    }

    /// <summary>The lines of a verdict that say where it is, without the numbers.</summary>
    private static string Place(string verdict) => new([.. verdict.Take(160).Where(c => !char.IsAsciiDigit(c) && c != Break)]);

    private string Ask(string file)
    {
        _child ??= Begin();
        _child.StandardInput.WriteLine(file);
        _child.StandardInput.Flush();
        for (string phase = "dense"; ;)
        {
            var line = _child.StandardOutput.ReadLineAsync();
            if (line.Wait(MostWaiting) && line.Result is { } text)
            {
                if (!text.StartsWith("at ", StringComparison.Ordinal)) return text;
                phase = text[3..];
                continue;
            }
            bool hung = !line.IsCompleted;
            Dispose();
            return phase == "dense" ? "not run: ONNX Runtime does not come back"
                : $"failed: the process {(hung ? "does not come back" : "is gone")} while {phase} is compared";
        }
    }

    private static Process Begin()
    {
        var child = Child.Start(AppContext.BaseDirectory, runsModels: true, "judge");
        child.ErrorDataReceived += (_, _) => { };
        child.BeginErrorReadLine();
        return child;
    }

    public void Dispose()
    {
        if (_child is null) return;
        if (!_child.HasExited) _child.Kill();
        _child.WaitForExit();
        _child.Dispose();
        _child = null;
    }

    /// <summary>The child: a line with a path in, lines with phases and a verdict out.</summary>
    public static int Serve()
    {
        while (Console.ReadLine() is { } path)
        {
            string verdict;
            try
            {
                verdict = Verdict(path);
            }
            catch (Exception e)
            {
                verdict = $"failed: {e.GetType().Name} {e.Message}";
            }
            Console.WriteLine(verdict.ReplaceLineEndings(Break.ToString()));
        }
        return 0;
    }

    private static string Verdict(string path)
    {
        using var dense = OnnxModel.Open(path);
        try
        {
            var known = SeededInputs.Sizes(dense);
            foreach (var input in dense.Proto.Graph.Input)
                if (input.Type?.TensorType?.Shape?.Dim.Aggregate(1.0, (a, d)
                    => a * (d.HasDimValue ? Math.Max(1, d.DimValue) : 64)) > MostElements) return "not run: an input is too large";
            var inputs = SeededInputs.For(dense, 1);
            Ort.Run(dense, inputs);
            foreach (var value in inputs.Values) value.Dispose();
        }
        // Inputs of a model that contradicts itself cannot always be made.
        catch (Exception e) when (e is OnnxRuntimeException or NotSupportedException or OverflowException or ArgumentException
            or KeyNotFoundException or NullReferenceException or IndexOutOfRangeException)
        {
            return "not run: " + e.Message;
        }
        Console.WriteLine("at slim");
        var analysis = AxisAnalysis.Run(dense);
        var result = SlimOracle.Measure(analysis, SlimOracle.Pick(analysis, 0.5, 1), mayMagnify: true);
        return result.IsExact && result.IsTwin ? result.Effect > 0 ? "equal" : "equal and not seen"
            : $"different: {SlimOracle.Describe(result)}";
    }
}
