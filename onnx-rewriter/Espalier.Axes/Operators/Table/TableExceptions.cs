using Espalier.Axes.Graph;

namespace Espalier.Axes.Operators.Table;

/// <summary>What a line of the table claims only for some constants or attributes.</summary>
internal static class TableExceptions
{
    public static void Refine(NodeContext context)
    {
        var record = context.Record;
        bool zeroHolds = context.Node.OpType switch
        {
            // 0 to the power 0 is 1: an exponent per unit is itself zero at removed units.
            "Pow" => Constants(1) is { } exponents && exponents.All(e => e > 0) && context.Input(1)!.Terms!.All(t => t.IsOne),
            "Clip" => (context.Attribute("min")?.F ?? Number(1) ?? (context.Input(1) is null ? 0 : 1)) <= 0
                && (context.Attribute("max")?.F ?? Number(2) ?? (context.Input(2) is null ? 0 : -1)) >= 0,
            "Binarizer" => (context.Attribute("threshold")?.F ?? 0) >= 0,
            "Shrink" => (context.Attribute("lambd")?.F ?? 0.5f) >= 0,
            // Gates with other activations than the defaults need not be zero at zero.
            "LSTM" or "GRU" or "RNN" or "DynamicQuantizeLSTM" => context.Attribute("activations") is null,
            "FusedConv" or "NhwcFusedConv" or "FusedGemm" or "FusedMatMulActivation" => ActivationKeepsZero(context) == true,
            "CropAndResize" => (context.Attribute("extrapolation_value")?.F ?? 0) == 0,
            _ => true,
        };
        if (!zeroHolds) record.Zero = ZeroRule.Never;
        switch (context.Node.OpType)
        {
            case "Pow" when !(Constants(1)?.All(e => e >= 0) ?? false):
                record.Poles = [0];
                break;
            // An activation could be a Softmax, which runs over an axis.
            case "FusedConv" or "NhwcFusedConv" or "FusedGemm" or "FusedMatMulActivation" when ActivationKeepsZero(context) is null:
                foreach (var input in context.Inputs)
                    context.FreezeAll(input, $"the activation {context.Text("activation", "")} is not known");
                break;
            // While a model is trained, batch normalisation takes its statistics from the batch, and dropout draws.
            case "BatchNormalization" when context.Int("training_mode", 0) != 0:
                record.Zero = ZeroRule.Never;
                foreach (var term in context.Input(0)!.Terms!.Where((_, k) => k != 1))
                    context.Inexact(term, "a statistic runs over this axis");
                break;
            case "Dropout" when context.Input(2) is not null && !IsFalse(context.Input(2)):
            case "BiasDropout" or "BitmaskBiasDropout" when context.Input(4) is not null && !IsFalse(context.Input(4)):
            case "BitmaskDropout" when context.Input(2) is not null && !IsFalse(context.Input(2)):
                foreach (var term in context.Input(0)!.Terms!)
                    context.Inexact(term, "random numbers are drawn one after the other, and fewer are drawn along a shorter axis");
                break;
            // Their rules take it for granted that a bias is zero at removed units, as weights are.
            case "Attention" or "PackedAttention" or "DecoderMaskedSelfAttention"
                or "QAttention" when context.Node.Domain == "com.microsoft":
                Bias(2);
                break;
            case "MultiHeadAttention" or "PackedMultiHeadAttention":
                Bias(3);
                break;
            case "DecoderMaskedMultiHeadAttention":
                Bias(10);
                break;
        }
        // It quantises the state at every step, by a range over all of it: what is not zero at removed units from the start
        // would widen that.
        if (context.Node.OpType == "DynamicQuantizeLSTM" && context.Input(5) is { IsParameter: false } state)
            context.FreezeAll(state, "a range is taken over the initial state, which is computed");
        // The second result of MaxPool counts positions over the whole tensor, channels included.
        if (context.Node.OpType == "MaxPool" && context.Record.Outputs.Length > 1 && context.IsUsed(context.Record.Outputs[1].Name))
            context.FreezeAll(context.Input(0), "its positions become data");

        void Bias(int operand)
        {
            if (context.Input(operand) is { IsParameter: false } bias) context.FreezeAll(bias, "a bias that is computed");
        }

        static bool IsFalse(TensorState? tensor) => tensor?.Value?.Numbers is [0];

        float? Number(int input) => Constants(input) is [var first, ..] ? first : null;

        float[]? Constants(int input) => context.Floats(context.Input(input)?.Data);
    }

    /// <summary>
    /// Whether an activation that ONNX Runtime fuses into products is 0 at 0; null for one that is not known to be element-wise.
    /// </summary>
    private static bool? ActivationKeepsZero(NodeContext context)
    {
        float[] parameters = context.Attribute("activation_params") is { } list ? [.. list.Floats] : [];
        return context.Text("activation", "") switch
        {
            "" or "Relu" or "Tanh" or "LeakyRelu" or "Elu" or "Selu" or "Softsign" or "ThresholdedRelu" or "HardSwish" or "QuickGelu"
                or "Gelu" => true,
            "Clip" => parameters is [<= 0, >= 0],
            "Sigmoid" or "HardSigmoid" or "Softplus" => false,
            _ => null,
        };
    }
}
