using System.Diagnostics;
using System.Security.Cryptography;

namespace Espalier.Calibration.Results;

/// <summary>
/// Divergences that were measured before, by what they depend on. Kept every two seconds, so that work that is stopped is not lost.
/// </summary>
/// <param name="name">Kind and hash of what all of them depend on.</param>
internal sealed class KnownDivergences(ResultFolder folder, string name) : IDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

    private readonly Stopwatch _since = Stopwatch.StartNew();
    private Dictionary<string, double>? _known;
    private int _reused, _measured, _unsaved;

    /// <summary>One that is known, or one that is measured now.</summary>
    public double Get(string key, Func<double> measure)
    {
        _known ??= Read();
        if (_known.TryGetValue(key, out double known))
        {
            _reused++;
            return known;
        }
        double measured = _known[key] = measure();
        _measured++;
        _unsaved++;
        if (_since.Elapsed > Every) Write();
        return measured;
    }

    public void Dispose()
    {
        Write();
        if (_reused > 0) folder.Note(FormattableString.Invariant($"{_reused} of {_reused + _measured} divergences"));
    }

    private Dictionary<string, double> Read() => folder.Read(name, reader =>
    {
        int count = reader.ReadInt32();
        var all = new Dictionary<string, double>(StringComparer.Ordinal);
        for (int i = 0; i < count; i++) all[Convert.ToHexStringLower(reader.ReadBytes(SHA256.HashSizeInBytes))] = reader.ReadDouble();
        return all;
    }) ?? new(StringComparer.Ordinal);

    private void Write()
    {
        _since.Restart();
        if (_unsaved == 0) return;
        _unsaved = 0;
        folder.Write(name, 40L * _known!.Count, writer =>
        {
            writer.Write(_known.Count);
            foreach (var (key, value) in _known.OrderBy(k => k.Key, StringComparer.Ordinal))
            {
                writer.Write(Convert.FromHexString(key));
                writer.Write(value);
            }
        });
    }
}
