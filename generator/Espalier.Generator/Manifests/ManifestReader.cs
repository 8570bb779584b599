using System.Globalization;
using System.Text;
using Espalier.Generator.Collections;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Espalier.Generator.Manifests;

/// <summary>
/// Parses the text that <c>Espalier.Axes.ManifestWriter</c> writes. It forgives nothing: a manifest is made by our own tool, so
/// a deviation means that the file is cut off, edited, or from another version.
/// </summary>
internal static class ManifestReader
{
    private const string Extension = ".espalier-manifest";
    public const int FormatVersion = 2;

    private static readonly Dictionary<string, Axis> Kinds = AxisRow.All.Where(row => !row.CanDrop)
        .ToDictionary(row => Words.Camel(row.Axis), row => row.Axis, StringComparer.Ordinal);

    /// <summary>Reads an AdditionalFile; one that is malformed before it names its model still has the item's metadata.</summary>
    public static ManifestFile Read(AdditionalText file, AnalyzerConfigOptionsProvider options, CancellationToken cancellation)
    {
        var manifest = Read(file.Path, file.GetText(cancellation)?.ToString() ?? "", cancellation);
        return manifest.Model is null
            && options.GetOptions(file).TryGetValue("build_metadata.AdditionalFiles.EspalierModel", out var model)
                ? manifest with { Model = PolicyModel.Normalise(model) }
                : manifest;
    }

    public static bool IsManifest(AdditionalText file) => file.Path.EndsWith(Extension, StringComparison.OrdinalIgnoreCase);

    public static ManifestFile Read(string path, string text, CancellationToken cancellation = default)
    {
        var cursor = new Cursor(text);
        try
        {
            return new(path, cursor.Model, Parse(cursor, cancellation), 0, "");
        }
        catch (FormatException e)
        {
            return new(path, cursor.Model, null, cursor.Line, e.Message);
        }
    }

    private static Manifest Parse(Cursor cursor, CancellationToken cancellation)
    {
        var header = cursor.Next("espalier-manifest", 2);
        if (header[1] != FormatVersion.ToString(CultureInfo.InvariantCulture))
            throw new FormatException($"the format's version is {header[1]}, but this generator reads version {FormatVersion}; the "
                + "packages Espalier and Espalier.Build must have the same version");
        cursor.Model = cursor.Next("model", 2)[1];
        var sha256 = cursor.Next("sha256", 2)[1];
        if (sha256.Length != 64 || sha256.Any(c => c is not ((>= '0' and <= '9') or (>= 'a' and <= 'f'))))
            throw new FormatException("the checksum is not 64 hexadecimal digits");
        var bytes = Long(cursor.Next("bytes", 2)[1]);

        var inputs = new List<ManifestTensor>();
        while (cursor.Peek() == "input") inputs.Add(Tensor(cursor.Next("input", 3, open: true)));
        var outputs = new List<ManifestTensor>();
        while (cursor.Peek() == "output") outputs.Add(Tensor(cursor.Next("output", 3, open: true)));

        var groups = Groups(cursor, Aliases(cursor, cancellation), cancellation);
        var blocks = Blocks(cursor);
        var costs = Costs(cursor, groups, blocks, cancellation);
        cursor.Next("end", 1);
        cursor.End();
        return new()
        {
            Model = cursor.Model,
            Sha256 = sha256,
            Bytes = bytes,
            Inputs = inputs.ToEquatable(),
            Outputs = outputs.ToEquatable(),
            Groups = groups.ToEquatable(),
            Blocks = blocks.ToEquatable(),
            Costs = costs.ToEquatable(),
        };
    }

    /// <summary>By name of a weight, the name that a person can write for it.</summary>
    private static Dictionary<string, string> Aliases(Cursor cursor, CancellationToken cancellation)
    {
        var aliases = new Dictionary<string, string>(StringComparer.Ordinal);
        while (cursor.Peek() == "alias")
        {
            cancellation.ThrowIfCancellationRequested();
            var fields = cursor.Next("alias", 3);
            if (fields[2].Length == 0) throw new FormatException($"the alias of '{fields[1]}' is empty");
            if (aliases.ContainsKey(fields[1])) throw new FormatException($"'{fields[1]}' has two aliases");
            aliases.Add(fields[1], fields[2]);
        }
        if (aliases.Values.Distinct(StringComparer.Ordinal).Count() != aliases.Count)
            throw new FormatException("two weights have one alias");
        return aliases;
    }

    private static List<ManifestGroup> Groups(Cursor cursor, Dictionary<string, string> aliases, CancellationToken cancellation)
    {
        var groups = new List<ManifestGroup>();
        var ids = new HashSet<int>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (cursor.Peek() == "group")
        {
            cancellation.ThrowIfCancellationRequested();
            var group = Group(cursor.Next("group", 9, open: true), aliases);
            if (!ids.Add(group.Id)) throw new FormatException($"group {group.Id} occurs twice");
            if (!names.Add(group.Name)) throw new FormatException($"two groups are called '{group.Name}'");
            groups.Add(group);
        }
        foreach (var group in groups)
            if (group.Partner >= 0 && !ids.Contains(group.Partner))
                throw new FormatException($"the partner {group.Partner} of group {group.Id} does not exist");
        return groups;
    }

    private static List<ManifestBlock> Blocks(Cursor cursor)
    {
        var blocks = new List<ManifestBlock>();
        while (cursor.Peek() == "block") blocks.Add(Block(cursor.Next("block", 5)));
        if (blocks.Select(b => b.Id).Distinct().Count() != blocks.Count) throw new FormatException("two blocks have one number");
        var sublayers = Sublayers(blocks);
        if (blocks.SelectMany(b => b.Sublayers).Any(s => !sublayers.Contains(s)))
            throw new FormatException("a block names a sublayer that does not exist");
        return blocks;
    }

    private static List<ManifestCost> Costs(Cursor cursor, List<ManifestGroup> groups, List<ManifestBlock> blocks,
        CancellationToken cancellation)
    {
        var costs = new List<ManifestCost>();
        var (ids, sublayers) = (new HashSet<int>(groups.Select(g => g.Id)), Sublayers(blocks));
        while (cursor.Peek() == "cost")
        {
            cancellation.ThrowIfCancellationRequested();
            var cost = Cost(cursor.Next("cost", 6));
            if (cost.Groups.Any(g => !ids.Contains(g))) throw new FormatException("the cost names a group that does not exist");
            if (cost.Sublayer >= 0 && !sublayers.Contains(cost.Sublayer))
                throw new FormatException("the cost names a sublayer that does not exist");
            costs.Add(cost);
        }
        return costs;
    }

    private static HashSet<int> Sublayers(List<ManifestBlock> blocks) => new(blocks.Where(b => b.IsSublayer).Select(b => b.Id));

    private static ManifestTensor Tensor(string[] fields)
    {
        var dims = fields.Skip(3).ToEquatable();
        foreach (var dim in dims)
            if (!dim.StartsWith("?", StringComparison.Ordinal) && !(dim == "*" && dims.Count == 1)) Long(dim);
        return new(fields[1], fields[2], dims);
    }

    private static ManifestGroup Group(string[] fields, Dictionary<string, string> aliases)
    {
        var exactness = fields[5];
        if (!Kinds.TryGetValue(fields[3], out var kind)) throw new FormatException($"'{fields[3]}' is no kind of group");
        if (exactness is not ("exact" or "inexact" or "frozen"))
            throw new FormatException($"'{exactness}' is not exact, inexact or frozen");
        if (exactness != "exact" && fields[8].Length == 0) throw new FormatException($"group {fields[1]} is {exactness} without a reason");
        var size = Integer(fields[4]);
        var minKeep = Integer(fields[6]);
        if (size < 1 || minKeep < 1) throw new FormatException($"group {fields[1]} has no units, or none that stays");
        var members = fields.Skip(9).ToEquatable();
        foreach (var member in members)
        {
            var colon = member.LastIndexOf(':');
            if (colon < 0) throw new FormatException($"'{member}' is not tensor:axis");
            Integer(member.Substring(colon + 1));
        }
        return new()
        {
            Id = Integer(fields[1]),
            Name = fields[2],
            Kind = kind,
            Size = size,
            Exactness = exactness,
            MinKeep = minKeep,
            Partner = Integer(fields[7], least: -1),
            Reason = fields[8],
            Members = members,
            Weights = members.Select(ManifestGroup.TensorOf).Distinct(StringComparer.Ordinal)
                .Select(w => new ManifestWeight(w, aliases.TryGetValue(w, out var alias) ? alias : "")).ToEquatable(),
        };
    }

    private static ManifestBlock Block(string[] fields)
        => fields[2] is "sublayer" or "block"
            ? new(Integer(fields[1]), fields[2] == "sublayer", fields[3], Integers(fields[4]))
            : throw new FormatException($"'{fields[2]}' is neither sublayer nor block");

    private static ManifestCost Cost(string[] fields)
    {
        if (fields[1] is not ("macs" or "parameters" or "bytes")) throw new FormatException($"'{fields[1]}' is no unit of cost");
        if (!double.TryParse(fields[2], NumberStyles.Float, CultureInfo.InvariantCulture, out var coefficient) || double.IsNaN(coefficient)
            || double.IsInfinity(coefficient))
            throw new FormatException($"'{fields[2]}' is no number");
        // Padding matters to the predicted time only, which the generator does not compute; the field is still checked.
        Integers(fields[5]);
        return new(fields[1], coefficient, Integer(fields[3], least: -1), Integers(fields[4]));
    }

    private static EquatableArray<int> Integers(string field)
        => field.Length == 0 ? [] : field.Split(',').Select(f => Integer(f)).ToEquatable();

    private static int Integer(string field, int least = 0)
        => int.TryParse(field, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least
            ? value
            : throw new FormatException($"'{field}' is no integer of at least {least}");

    private static long Long(string field)
        => long.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new FormatException($"'{field}' is no size");

    /// <summary>The lines, one after another.</summary>
    private sealed class Cursor(string text)
    {
        private int _start;

        public int Line { get; private set; }

        public string? Model { get; set; }

        /// <summary>First field of the next line; null at the end.</summary>
        public string? Peek()
        {
            if (_start >= text.Length) return null;
            var end = _start;
            while (end < text.Length && text[end] is not ('\t' or '\n')) end++;
            return text.Substring(_start, end - _start);
        }

        public string[] Next(string keyword, int count, bool open = false)
        {
            Line++;
            var end = _start < text.Length ? text.IndexOf('\n', _start) : -1;
            if (end < 0) throw new FormatException($"the file ends where '{keyword}' is expected");
            var fields = text.Substring(_start, end - _start).Split('\t');
            if (fields[0] != keyword) throw new FormatException($"'{keyword}' is expected, not '{fields[0]}'");
            if (open ? fields.Length < count : fields.Length != count)
                throw new FormatException($"'{keyword}' has {fields.Length} fields, not {count}");
            _start = end + 1;
            for (var i = 1; i < fields.Length; i++) fields[i] = Unescape(fields[i]);
            return fields;
        }

        public void End()
        {
            Line++;
            if (_start != text.Length) throw new FormatException("text follows 'end'");
        }

        private static string Unescape(string field)
        {
            if (field.IndexOf('\\') < 0) return field;
            var plain = new StringBuilder(field.Length);
            for (var i = 0; i < field.Length; i++)
            {
                if (field[i] != '\\') { plain.Append(field[i]); continue; }
                plain.Append(++i < field.Length ? field[i] switch
                {
                    '\\' => '\\',
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    _ => throw new FormatException($"'\\{field[i]}' is no escape"),
                } : throw new FormatException("a backslash ends a field"));
            }
            return plain.ToString();
        }
    }
}
