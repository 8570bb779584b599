namespace Espalier.Gradients.Notation;

/// <summary>What a line says of one gradient.</summary>
internal abstract record Expression
{
    /// <summary>Names of operands, results and definitions that occur.</summary>
    public abstract IEnumerable<string> Names { get; }
}

internal sealed record NumberExpression(double Value) : Expression
{
    public override IEnumerable<string> Names => [];
}

/// <summary>A number that the node has as an attribute, with its value where that is absent.</summary>
internal sealed record AttributeExpression(string Attribute, double Default) : Expression
{
    public override IEnumerable<string> Names => [];
}

/// <summary>An operand, a result, the gradient of a result (<c>d</c> before it), or a definition of the line.</summary>
internal sealed record NameExpression(string Name) : Expression
{
    public override IEnumerable<string> Names => [Name];
}

/// <summary>A function, or an operation of two, which is one too.</summary>
internal sealed record CallExpression(string Function, Expression[] Arguments) : Expression
{
    public override IEnumerable<string> Names => Arguments.SelectMany(a => a.Names);
}
