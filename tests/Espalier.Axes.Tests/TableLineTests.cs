using Espalier.Axes.Operators.Notation;
using Espalier.Axes.Operators.Table;

namespace Espalier.Axes.Tests;

/// <summary>What is wrong with a line of the operator table is said when it is parsed, with the line.</summary>
public sealed class TableLineTests
{
    [Theory]
    [InlineData("Op", "neither a rule nor facts")]
    [InlineData("Op Other | a -> a", "neither a rule nor facts")]
    [InlineData("Op | a -> a -> a", "neither a rule nor facts")]
    [InlineData("Op | a -> a | fix:a | fix:a", "neither a rule nor facts")]
    [InlineData("Op | (a b -> a b", "a bracket is not closed")]
    [InlineData("Op | a b) -> a b", "')' closes no bracket")]
    [InlineData("Op | [(a + b)] -> a b", "'+' is no axis")]
    [InlineData("Op | [(a] b) -> a b", "']' closes no bracket")]
    [InlineData("Op | a! -> a", "'a!' is no axis")]
    [InlineData("Op | a -> a | fixed:a", "no clause of a rule")]
    [InlineData("Op | a -> a | moves:0", "no clause of a rule")]
    [InlineData("Op | a -> a | fix:b", "the variable 'b'")]
    [InlineData("Op | a -> a | fix:...", "the variable '...'")]
    [InlineData("Op | a -> a | bind:attr=a*b", "the variable 'b'")]
    [InlineData("Op | a -> a | count:b=list", "the variable 'b'")]
    [InlineData("Op | a -> a | macs:a,2,@attr,b", "the variable 'b'")]
    [InlineData("Op | a -> a | length:a=a+b", "the variable 'b'")]
    [InlineData("Op | a -> a | scale:attr=b", "the variable 'b'")]
    [InlineData("Op | a, a? -> a | zero:all=0,2", "the operand 2")]
    [InlineData("Op | a -> a | zero:all@1", "operand or result 1")]
    [InlineData("Op | a -> a | zero:always", "'always', which is no ZeroRule")]
    [InlineData("Op | a -> a | role:wheels=a", "'wheels', which is no Role")]
    [InlineData("Op | a -> a | sum:a=1", "the operand 1")]
    [InlineData("Op | a -> a | pole:-1", "the operand -1")]
    [InlineData("Op | a -> a | contract:0,1", "the operand 1")]
    [InlineData("Op | a -> a | contract:0", "not two operands")]
    [InlineData("Op | a -> a | quant:0=1,2", "the operand 1")]
    [InlineData("Op | a -> a | quant:y1=-,-", "operand or result 1")]
    [InlineData("Op | a -> a | macs[1]:a", "the operand 1")]
    [InlineData("Op | a -> a | rms:a=0", "has no '='")]
    [InlineData("Op | a -> a | bind:a", "has no '='")]
    [InlineData("Op | a -> a | since:new", "'new' for a number")]
    [InlineData("Op | a -> a | geometry:round", "is no geometry")]
    public void A_malformed_rule_is_an_error_with_the_line(string line, string reason)
        => AssertIsWrong(line, reason, () => new OperatorRule(new(line)));

    [Theory]
    [InlineData("Op | fix:a", "no clause of facts")]
    [InlineData("Op | moves:2", "operand or result 2")]
    [InlineData("Op | moves:first", "'first' for a number")]
    [InlineData("Op | affine:0,1,1", "a scale and a shift")]
    [InlineData("Op | attention:0,1", "queries, keys and values")]
    [InlineData("Op | bias:2", "operand or result 2")]
    [InlineData("Op | type:2/float", "operand or result 2")]
    [InlineData("Op | type:0=whole?int64", "'whole', which is no DataType")]
    [InlineData("Op | zero-if:alpha", "compares nothing")]
    [InlineData("Op | zero-if:@2>0", "operand or result 2")]
    [InlineData("Op | when:mode moves:0", "has no '='")]
    public void Malformed_facts_are_an_error_with_the_line(string line, string reason)
        => AssertIsWrong(line, reason, () => new OperatorFacts(new(line), 2));

    [Fact]
    public void All_lines_of_the_table_are_parsed()
    {
        Assert.NotEmpty(OperatorTable.All);
        Assert.NotEmpty(OperatorTable.AllFacts);
        // A line that goes on below is one line, with single spaces.
        Assert.Contains(OperatorTable.All, r => r.Rule.Operator == "GroupQueryAttention" && r.Rule.Roles.Count == 3);
        Assert.DoesNotContain(OperatorTable.All, r => r.Rule.Text.Contains("  ", StringComparison.Ordinal));
    }

    private static void AssertIsWrong(string line, string reason, Action parse)
    {
        string message = Assert.Throws<FormatException>(parse).Message;
        Assert.Contains(reason, message, StringComparison.Ordinal);
        Assert.EndsWith(": " + line, message, StringComparison.Ordinal);
    }
}
