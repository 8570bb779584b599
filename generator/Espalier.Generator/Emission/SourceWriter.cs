using System.Text;

namespace Espalier.Generator.Emission;

/// <summary>Text with indentation; <c>\n</c> between lines on every platform.</summary>
internal sealed class SourceWriter
{
    private readonly StringBuilder _text = new();
    private int _indentation;

    /// <summary>A line; an empty one has no blanks.</summary>
    public void Line(string line = "")
    {
        if (line.Length > 0) _text.Append(' ', _indentation * 4).Append(line);
        _text.Append('\n');
    }

    public void Open()
    {
        Line("{");
        _indentation++;
    }

    public void Close(string after = "")
    {
        _indentation--;
        Line("}" + after);
    }

    public void Summary(string text) => Line($"/// <summary>{Names.Xml(text)}</summary>");

    public override string ToString() => _text.ToString();
}
