using System.Text;
using Espalier.Generator.Policies;

namespace Espalier.Generator.Emission;

/// <summary>
/// Text with indentation; <c>\n</c> between lines on every platform. What documents and marks the members of every generated file is
/// written here.
/// </summary>
internal sealed class SourceWriter
{
    private static readonly string GeneratedCode
        = $"[global::System.CodeDom.Compiler.GeneratedCodeAttribute({Names.Literal(GeneratedMembers.Tool)}, "
        + $"\"{typeof(SourceWriter).Assembly.GetName().Version.ToString(3)}\")]";

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

    public void Parameter(string name, string text) => Line($"/// <param name=\"{name}\">{Names.Xml(text)}</param>");

    /// <summary>The parameter for ONNX Runtime's settings.</summary>
    public void SessionOptions() => Parameter("options", "Settings of ONNX Runtime; null for its own.");

    /// <summary>When an <c>EspalierException</c> is thrown.</summary>
    public void Throws(string when) => Line($"/// <exception cref=\"global::Espalier.EspalierException\">{Names.Xml(when)}</exception>");

    /// <summary>The attribute of generated code.</summary>
    public void Generated() => Line(GeneratedCode);

    public override string ToString() => _text.ToString();
}
