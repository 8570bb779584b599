using Espalier.Axes.Graph;
using Espalier.Axes.Operators.Notation;

namespace Espalier.Axes.Operators.Table;

/// <summary>What a line of the table claims only for some constants or attributes.</summary>
internal static class TableExceptions
{
    public static void Refine(NodeContext context)
    {
        foreach (var facts in OperatorTable.FactsOf(context.Node)) Refine(context, facts);
        // No clause is worth what one operator alone has.
        switch (context.Node.OpType)
        {
            case "Pow" when !(context.Floats(context.Input(1)!.Data)?.All(e => e >= 0) ?? false):
                context.Record.Poles = [0];
                break;
            // It quantises the state at every step, by a range over all of it: what is not zero at removed units from the start
            // would widen that.
            case "DynamicQuantizeLSTM" when context.Input(5) is { IsParameter: false } state:
                context.FreezeAll(state, "a range is taken over the initial state, which is computed");
                break;
            // The second result counts positions over the whole tensor, channels included.
            case "MaxPool" when context.Record.Outputs.Length > 1 && context.IsUsed(context.Record.Outputs[1].Name):
                context.FreezeAll(context.Input(0), "its positions become data");
                break;
        }
    }

    private static void Refine(NodeContext context, OperatorFacts facts)
    {
        var record = context.Record;
        if (!facts.ZeroIf.TrueForAll(holds => holds(context))) record.Zero = ZeroRule.Never;
        if (facts.DrawsIf is { } flag && context.Input(flag) is { } training && training.Value?.Numbers is not [0])
            foreach (var term in context.Input(0)!.Terms!) context.Inexact(term, RuleApplication.Draws);
        if (facts.Bias is { } operand && context.Input(operand) is { IsParameter: false } bias)
            context.FreezeAll(bias, "a bias that is computed");
        if (!facts.HasActivation) return;
        bool? keepsZero = ActivationKeepsZero(context);
        if (keepsZero != true) record.Zero = ZeroRule.Never;
        // An activation could be a Softmax, which runs over an axis.
        if (keepsZero is null)
            foreach (var input in context.Inputs)
                context.FreezeAll(input, $"the activation {context.Text("activation", "")} is not known");
    }

    /// <summary>
    /// Whether an activation that ONNX Runtime fuses into products is 0 at 0; null for one that is not known to be element-wise.
    /// </summary>
    private static bool? ActivationKeepsZero(NodeContext context)
    {
        string name = context.Text("activation", "");
        // The bounds of Clip are parameters here, and no operands.
        return name.Length == 0 ? true : name != "Clip" ? OperatorTable.KeepsZero(name)
            : context.Attribute("activation_params")?.Floats is { Count: 2 } bounds && bounds[0] <= 0 && bounds[1] >= 0;
    }
}
