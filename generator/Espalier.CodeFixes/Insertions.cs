using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace Espalier.CodeFixes;

/// <summary>What a policy lacks, written into it: calibration data, a guard, a budget.</summary>
internal static class Insertions
{
    private const string Guard = "Agreement = 0.95";

    /// <summary>An attribute of the class, on a line of its own after those that it has.</summary>
    public static Remedy Attribute(Source source, ClassDeclarationSyntax policy, string name, string arguments)
        => source.Insert($"Add [{name}({arguments})]", text => [OfClass(text, source.Model, policy, name, arguments)]);

    /// <summary>A calibration method with the inputs of the model, which throws until somebody gives it data.</summary>
    public static IEnumerable<Remedy> Calibration(Source source, ClassDeclarationSyntax policy)
    {
        if (policy.CloseBraceToken.Span.IsEmpty) yield break;
        yield return source.Insert("Add calibration data", text => [Method(text, source.Model, policy)]);
    }

    /// <summary>The same, and before it the same with a guard that measures on those data.</summary>
    public static IEnumerable<Remedy> CalibrationWithGuard(Source source, ClassDeclarationSyntax policy)
    {
        if (policy.CloseBraceToken.Span.IsEmpty) yield break;
        if (!policy.AttributeLists.SelectMany(l => l.Attributes).Any(a => NameOf(a) is "Guard" or "GuardAttribute"))
            yield return source.Insert($"Add calibration data and [Guard({Guard})]",
                text => [OfClass(text, source.Model, policy, "Guard", Guard), Method(text, source.Model, policy)]);
        foreach (var remedy in Calibration(source, policy)) yield return remedy;
    }

    private static string NameOf(AttributeSyntax attribute)
        => attribute.Name is QualifiedNameSyntax qualified ? qualified.Right.Identifier.ValueText : attribute.Name.ToString();

    private static TextChange OfClass(SourceText text, SemanticModel model, ClassDeclarationSyntax policy, string name, string arguments)
    {
        var end = policy.AttributeLists.Last().Span.End;
        return new(new(end, 0), $"{Newline(text)}{IndentAt(text, policy.SpanStart)}[{AttributeName(model, end, name)}({arguments})]");
    }

    private static TextChange Method(SourceText text, SemanticModel model, ClassDeclarationSyntax policy)
    {
        var brace = policy.CloseBraceToken;
        var outer = IndentAt(text, policy.SpanStart);
        var indent = policy.Members.Count > 0
            && text.Lines.IndexOf(policy.Members.Last().SpanStart) != text.Lines.IndexOf(policy.SpanStart)
                ? IndentAt(text, policy.Members.Last().SpanStart)
                : outer + "    ";
        var lines = Lines(model, brace.SpanStart, model.GetDeclaredSymbol(policy))
            .Select(line => line.Length == 0 ? line : indent + line);
        // From the last word of the class to its brace there are blanks only: what else stands there stays.
        var start = brace.SpanStart;
        while (start > 0 && text[start - 1] is ' ' or '\t' or '\r' or '\n') start--;
        var newline = Newline(text);
        var gap = policy.Members.Count > 0 ? newline + newline : newline;
        return new(TextSpan.FromBounds(start, brace.SpanStart), gap + string.Join(newline, lines) + newline + outer);
    }

    private static IEnumerable<string> Lines(SemanticModel model, int position, INamedTypeSymbol? policy)
    {
        var sequence = Short(model, position, "System.Collections.Generic.IEnumerable`1").Replace("<T>", "<Inputs>");
        var unknown = $"throw new {Short(model, position, "System.NotImplementedException")}()";
        yield return $"[{AttributeName(model, position, "Calibration")}(Samples = 256)]";
        var head = $"static {sequence} {Names.Unused(policy, "Samples")}()";
        // The type is generated from the model: there is none where the model, or a type of one of its tensors, is unknown.
        if (policy?.GetTypeMembers("Inputs").FirstOrDefault() is not { } inputs
            || inputs.InstanceConstructors.FirstOrDefault(c => c.Parameters.All(p => p.Type.Name == "TensorData")) is not { } constructor)
        {
            yield return $"{head} => {unknown};";
            yield break;
        }
        yield return head;
        yield return "{";
        yield return "    // Data like what the program will see, and not what it is tested on.";
        yield return "    yield return new Inputs(";
        var remarks = Remarks(inputs);
        for (var i = 0; i < constructor.Parameters.Length; i++)
        {
            var parameter = constructor.Parameters[i];
            var element = ((INamedTypeSymbol)parameter.Type).TypeArguments[0].ToMinimalDisplayString(model, position);
            yield return $"        {Escape(parameter.Name)}: Next<{element}>()"
                + (i < constructor.Parameters.Length - 1 ? "," : ");")
                + (remarks.TryGetValue(parameter.Name, out var remark) ? $" // {remark}" : "");
        }
        yield return "";
        yield return $"    static {Short(model, position, "Espalier.TensorData`1")} Next<T>() => {unknown};";
        yield return "}";
    }

    /// <summary>What the generated documentation says of each input: name, type and shape in the model.</summary>
    private static Dictionary<string, string> Remarks(INamedTypeSymbol inputs)
    {
        var remarks = new Dictionary<string, string>(StringComparer.Ordinal);
        if (inputs.GetDocumentationCommentXml() is not { Length: > 0 } xml) return remarks;
        foreach (var parameter in XElement.Parse(xml).Descendants("param"))
            if (parameter.Attribute("name")?.Value is { } name) remarks[name] = parameter.Value.Trim();
        return remarks;
    }

    private static string Escape(string name)
        => SyntaxFacts.GetKeywordKind(name) == SyntaxKind.None ? name : "@" + name;

    /// <summary>A type's name as it can be written at a place.</summary>
    private static string Short(SemanticModel model, int position, string type)
        => model.Compilation.GetTypeByMetadataName(type)?.ToMinimalDisplayString(model, position) ?? type.Split('`')[0];

    private static string AttributeName(SemanticModel model, int position, string name)
    {
        var written = Short(model, position, $"Espalier.{name}Attribute");
        return written.Substring(0, written.Length - "Attribute".Length);
    }

    private static string IndentAt(SourceText text, int position)
    {
        var line = text.Lines.GetLineFromPosition(position).ToString();
        return line.Substring(0, line.Length - line.TrimStart().Length);
    }

    private static string Newline(SourceText text)
    {
        var line = text.Lines[0];
        return line.EndIncludingLineBreak > line.End ? text.ToString(TextSpan.FromBounds(line.End, line.EndIncludingLineBreak)) : "\n";
    }
}
