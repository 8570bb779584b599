using System.Runtime.InteropServices;
using Espalier.Axes.Measurements;

namespace Espalier.Calibration.Results;

/// <summary>Statistics as bytes, and back to the same numbers.</summary>
internal static class StatisticsFormat
{
    /// <summary>Bytes of what is large.</summary>
    public static long Size(CalibrationStatistics statistics) => statistics.Consumers.Values.Sum(Size);

    public static void Write(BinaryWriter writer, CalibrationStatistics statistics, CalibrationRequest request)
    {
        writer.Write(statistics.Samples);
        Each(writer, statistics.Consumers.OrderBy(c => c.Key).Select(c => c.Value), s => Write(writer, s));
        Numbers(writer, statistics.BlockCosine);
        Numbers(writer, statistics.BlockAngle);
        Each(writer, request.Signals.Index().Where(s => statistics.Signals.ContainsKey(s.Item)), s =>
        {
            writer.Write(s.Index);
            Write(writer, statistics.Signals[s.Item].Mean);
            Write(writer, statistics.Signals[s.Item].Share);
        });
        Each(writer, request.Tensors.Index().Where(t => statistics.Tensors.ContainsKey(t.Item)), t =>
        {
            writer.Write(t.Index);
            Write(writer, statistics.Tensors[t.Item].Mean);
            Write(writer, statistics.Tensors[t.Item].Variance);
        });
        Each(writer, statistics.Notes, writer.Write);
    }

    /// <param name="request">The one that they were measured for: signals and tensors go by their places in it.</param>
    public static CalibrationStatistics Read(BinaryReader reader, CalibrationRequest request)
    {
        long samples = reader.ReadInt64();
        var consumers = Each(reader, () => Statistics(reader)).ToDictionary(s => s.Consumer);
        Dictionary<int, double> cosines = Numbers(reader), angles = Numbers(reader);
        var signals = Each(reader, () => (request.Signals[reader.ReadInt32()], new SignalStatistics(Doubles(reader), Doubles(reader))));
        var tensors = Each(reader, () => (request.Tensors[reader.ReadInt32()], new AxisMoments(Doubles(reader), Doubles(reader))));
        return new(consumers, cosines, samples)
        {
            BlockAngle = angles,
            Signals = signals.ToDictionary(s => s.Item1, s => s.Item2),
            Tensors = tensors.ToDictionary(t => t.Item1, t => t.Item2),
            Notes = Each(reader, reader.ReadString),
        };
    }

    private static long Size(ActivationStatistics s)
        => (32L * s.Mean.Length) + (s.Covariance is { } c ? 2L * c.Size * (c.Size + Covariance.Tile) : 0)
            + (s.HeldOut is { } h ? 4L * h.Count * h.Width : 0) + (s.PerBatch?.Sum(Size) ?? 0);

    private static void Write(BinaryWriter writer, ActivationStatistics s)
    {
        writer.Write(s.Consumer);
        writer.Write(s.Count);
        foreach (double[] moment in (double[][])[s.Mean, s.Variance, s.AbsoluteMean, s.SquareMean]) Write(writer, moment);
        writer.Write(s.Covariance?.Size ?? -1);
        if (s.Covariance is { } c)
            for (int i = 0; i < c.TilesPerSide; i++)
                for (int j = 0; j <= i; j++) writer.Write(MemoryMarshal.AsBytes<float>(c.TileAt(i, j)));
        writer.Write(s.HeldOut?.Count ?? -1);
        if (s.HeldOut is { } rows)
        {
            writer.Write(rows.Width);
            for (int r = 0; r < rows.Count; r++) writer.Write(MemoryMarshal.AsBytes(rows[r]));
        }
        writer.Write(s.PerBatch is not null);
        if (s.PerBatch is not null) Each(writer, s.PerBatch, p => Write(writer, p));
    }

    private static ActivationStatistics Statistics(BinaryReader reader)
    {
        var read = new ActivationStatistics(reader.ReadInt32(), reader.ReadInt64(), Doubles(reader), Doubles(reader), Doubles(reader),
            Doubles(reader));
        Covariance? covariance = null;
        if (reader.ReadInt32() is >= 0 and var size)
        {
            covariance = new(size);
            for (int i = 0; i < covariance.TilesPerSide; i++)
                for (int j = 0; j <= i; j++) Fill<float>(reader, covariance.TileAt(i, j));
        }
        RowSample? rows = null;
        if (reader.ReadInt32() is >= 0 and var count)
        {
            float[] row = new float[reader.ReadInt32()];
            rows = new(row.Length, Math.Max(2, count + (count % 2)));
            for (int r = 0; r < count; r++)
            {
                Fill<float>(reader, row);
                rows.Add(row);
            }
        }
        return read with
        {
            Covariance = covariance,
            HeldOut = rows,
            PerBatch = reader.ReadBoolean() ? Each(reader, () => Statistics(reader)) : null,
        };
    }

    private static void Each<T>(BinaryWriter writer, IEnumerable<T> items, Action<T> write)
    {
        var all = items.ToList();
        writer.Write(all.Count);
        all.ForEach(write);
    }

    private static List<T> Each<T>(BinaryReader reader, Func<T> read)
    {
        var all = new List<T>();
        for (int left = reader.ReadInt32(); left > 0; left--) all.Add(read());
        return all;
    }

    private static void Numbers(BinaryWriter writer, IReadOnlyDictionary<int, double> numbers)
        => Each(writer, numbers.OrderBy(n => n.Key), n =>
        {
            writer.Write(n.Key);
            writer.Write(n.Value);
        });

    private static Dictionary<int, double> Numbers(BinaryReader reader)
        => Each(reader, () => (reader.ReadInt32(), reader.ReadDouble())).ToDictionary(n => n.Item1, n => n.Item2);

    private static void Write(BinaryWriter writer, double[] values)
    {
        writer.Write(values.Length);
        writer.Write(MemoryMarshal.AsBytes<double>(values));
    }

    private static double[] Doubles(BinaryReader reader)
    {
        double[] values = new double[reader.ReadInt32()];
        Fill<double>(reader, values);
        return values;
    }

    private static void Fill<T>(BinaryReader reader, T[] values) where T : struct
        => reader.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
}
