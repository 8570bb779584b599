using System.Globalization;
using System.Text;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Emission;

/// <summary>JSON on one line, with a blank after each comma and colon.</summary>
internal sealed class JsonText
{
    private readonly StringBuilder _text = new();
    private bool _first = true;

    public void Object(Action content)
    {
        Separate();
        _text.Append('{');
        _first = true;
        content();
        _text.Append('}');
        _first = false;
    }

    public void Object<T>(string name, T? value, Action<T> content) where T : class
    {
        Key(name);
        if (value is null) Raw("null");
        else Object(() => content(value));
    }

    public void Array<T>(string name, IEnumerable<T> items, Action<T> content)
    {
        Key(name);
        _text.Append('[');
        _first = true;
        foreach (var item in items) Object(() => content(item));
        _text.Append(']');
        _first = false;
    }

    public void Strings(string name, IEnumerable<string>? items)
    {
        Key(name);
        if (items is null) Raw("null");
        else Raw("[" + string.Join(", ", items.Select(Quote)) + "]");
    }

    public void Null(string name)
    {
        Key(name);
        Raw("null");
    }

    public void Enum<T>(string name, T? value) where T : struct, Enum => Property(name, value is { } member ? Words.Camel(member) : null);

    public void Property(string name, string? value)
    {
        Key(name);
        Raw(value is null ? "null" : Quote(value));
    }

    public void Property(string name, bool value)
    {
        Key(name);
        Raw(value ? "true" : "false");
    }

    public void Property(string name, double? value)
    {
        Key(name);
        // JSON has no infinities; such a number is out of range and reported as that.
        Raw(value is { } number && !double.IsNaN(number) && !double.IsInfinity(number)
            ? number.ToString("R", CultureInfo.InvariantCulture)
            : "null");
    }

    public override string ToString() => _text.ToString();

    private void Key(string name)
    {
        Separate();
        _text.Append(Quote(name)).Append(": ");
        _first = true;
    }

    private void Raw(string value)
    {
        _text.Append(value);
        _first = false;
    }

    private void Separate()
    {
        if (!_first) _text.Append(", ");
        _first = false;
    }

    private static string Quote(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                _ when char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029'
                    => text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture)),
                _ => text.Append(c),
            };
        }
        return text.Append('"').ToString();
    }
}
