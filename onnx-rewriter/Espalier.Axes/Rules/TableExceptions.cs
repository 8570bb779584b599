namespace Espalier.Axes;

/// <summary>What a line of the table claims only for some constants or attributes.</summary>
internal static class TableExceptions
{
    public static void Refine(NodeContext context)
    {
        bool zeroHolds = context.Node.OpType switch
        {
            "Pow" => Constants(1) is { } exponents && exponents.All(e => e > 0),
            "Clip" => (context.Attribute("min")?.F ?? Constants(1)?[0] ?? (context.Input(1) is null ? 0 : 1)) <= 0
                && (context.Attribute("max")?.F ?? Constants(2)?[0] ?? (context.Input(2) is null ? 0 : -1)) >= 0,
            // Gates with other activations than the defaults need not be zero at zero.
            "LSTM" or "GRU" or "RNN" => context.Attribute("activations") is null,
            _ => true,
        };
        if (!zeroHolds) context.Record.Zero = ZeroRule.Never;
        // The second result of MaxPool counts positions over the whole tensor, channels included.
        if (context.Node.OpType == "MaxPool" && context.Record.Outputs.Length > 1 && context.IsUsed(context.Record.Outputs[1].Name))
            context.FreezeAll(context.Input(0), "its positions become data");

        float[]? Constants(int input) => context.Input(input)?.Data is { } data ? context.State.Model.Content(data).ToFloats() : null;
    }
}
