using System.Diagnostics;
using System.Runtime.InteropServices;
using Espalier.Onnx.Files;

namespace Espalier.Cli.Host;

/// <summary>
/// Ctrl+C, and the system's wish that the process ends. The work is asked to stop, and a run of a model is between two of its operators.
/// What has not stopped after half a second, in the middle of a large decomposition, is ended where it is: files appear whole or not at
/// all, and those under other names are removed.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    /// <summary>How long work may take to stop by itself.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _source = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Terminal _terminal;

    public Interrupt(Terminal terminal)
    {
        _terminal = terminal;
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGQUIT, PosixSignal.SIGHUP])
            _registrations.Add(PosixSignalRegistration.Create(signal, Stop));
    }

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        _registrations.ForEach(r => r.Dispose());
        _source.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        // The pool may be busy with the work.
        new Thread(Abandon) { IsBackground = true }.Start();
        _source.Cancel();
    }

    private void Abandon()
    {
        Thread.Sleep(Patience);
        _terminal.Error.WriteLine("espalier: stopped; nothing was written.");
        OutputFiles.Abandon();
        // Not Environment.Exit: that unloads libraries of which another thread is running code.
        Process.GetCurrentProcess().Kill();
    }
}
