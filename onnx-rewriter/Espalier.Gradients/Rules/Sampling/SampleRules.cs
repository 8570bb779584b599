using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules.Sampling;

/// <summary>
/// Bilinear samples: a position between rows gives row h the weight max(0, 1 − |position − h|), and columns likewise, so that a sample is a
/// product with weights of rows and with weights of columns.
/// </summary>
internal static class SampleRules
{
    /// <summary>The mean over the samples of a cell is one of rows times one of columns: a matrix for each, region by region.</summary>
    public static void RoiAlign(GradientContext context)
    {
        if (context.Text("mode", "avg") != "avg") throw new NoGradientException("its mode is the largest sample");
        var graph = context.Graph;
        string x = context.In(0);
        string rows = Cells(context, 1, 3, context.Int("output_height", 1), 2);
        string columns = Cells(context, 0, 2, context.Int("output_width", 1), 3);
        // [R, C, h, w] · [R, 1, w, W], and rows likewise.
        string wide = graph.MatMul(context.Gradient(0)!, graph.Unsqueeze(columns, [1]));
        string whole = graph.MatMul(graph.Unsqueeze(graph.Transpose(rows, [0, 2, 1]), [1]), wide);
        context.Give(0, graph.Op("ScatterND", [graph.Zeros(graph.Shape(x), context.Type), graph.Unsqueeze(context.In(2), [1]), whole],
            BackwardGraph.Text("reduction", "add")));
        context.Refuse(1, "regions have no gradient that is written");
    }

    // [R, cells, size]: what every row of the image weighs in each cell of a region.
    private static string Cells(GradientContext context, int low, int high, long cells, int axis)
    {
        var graph = context.Graph;
        int type = context.Type;
        bool isHalf = context.Opset >= 16 && context.Text("coordinate_transformation_mode", "half_pixel") == "half_pixel";
        string scale = Number(context.Real("spatial_scale", 1)), half = Number(isHalf ? 0.5 : 0), one = Number(1), zero = Number(0);
        string from = graph.Sub(graph.Mul(graph.Part(context.In(1), 1, low, low + 1), scale), half);
        string to = graph.Sub(graph.Mul(graph.Part(context.In(1), 1, high, high + 1), scale), half);
        string length = graph.Sub(to, from);
        if (!isHalf) length = graph.Op("Max", [length, one]);
        string size = graph.Div(length, Number(cells));
        long stated = context.Int("sampling_ratio", 0);
        // As many samples as a cell has rows, where no number is stated.
        string sampled = stated > 0 ? Number(stated) : graph.Op("Ceil", [size]), count = graph.Op("Max", [sampled, one]);
        string most = graph.Cast(graph.Op("ReduceMax", [count], BackwardGraph.Int("keepdims", 0)), 7);
        string cell = graph.Reshape(graph.Cast(graph.Counted(graph.Integer(cells)), type), 1, -1, 1);
        string sample = graph.Reshape(graph.Cast(graph.Counted(most), type), 1, 1, -1);
        string each = Wide(size), counts = stated > 0 ? count : Wide(count), samples = stated > 0 ? sampled : Wide(sampled);
        string offset = graph.Mul(graph.Add(sample, Number(0.5)), graph.Div(each, counts));
        string position = graph.Add(graph.Add(Wide(from), graph.Mul(cell, each)), offset);
        string limit = graph.Cast(graph.Op("Gather", [graph.Shape(context.In(0)), graph.Integer(axis)]), type);
        string inside = graph.Mul(graph.Mask("GreaterOrEqual", position, Number(-1), type),
            graph.Mask("LessOrEqual", position, limit, type));
        string share = graph.Div(graph.Mul(inside, graph.Mask("Less", sample, samples, type)), counts);
        string clamped = graph.Op("Min", [graph.Op("Max", [position, zero]), graph.Sub(limit, one)]);
        string weights = Hat(graph, clamped, limit, type, [3]);
        return graph.Sum(graph.Mul(weights, graph.Unsqueeze(share, [3])), [2], keep: false);

        string Number(double value) => graph.Number(value, type);
        string Wide(string column) => graph.Unsqueeze(column, [2]);
    }

    // max(0, 1 − |position − h|) for every h below the limit.
    private static string Hat(BackwardGraph graph, string position, string limit, int type, long[] last)
        => graph.Op("Relu", [graph.Sub(graph.Number(1, type), graph.Op("Abs", [Distance(graph, position, limit, type, last)]))]);

    private static string Distance(BackwardGraph graph, string position, string limit, int type, long[] last)
        => graph.Sub(graph.Unsqueeze(position, last), graph.Cast(graph.Counted(graph.Cast(limit, 7)), type));

    /// <summary>
    /// With weights R of rows and C of columns for each position p: dX = Σ dY·R·C. The grid has the same with the derivative of a weight.
    /// </summary>
    public static void GridSample(GradientContext context)
    {
        if (context.InTerms(0).Length != 4) throw new NoGradientException("it samples volumes");
        if (context.Text("mode", "linear") is not ("linear" or "bilinear") and var mode)
            throw new NoGradientException($"its mode is {mode}");
        var graph = context.Graph;
        string x = context.In(0), dy = graph.Merged(context.Gradient(0)!, 2);
        var across = GridAxis.Of(context, 0, 3);
        var down = GridAxis.Of(context, 1, 2);
        if (context.Wants(0)) context.Give(0, Einsum("ncp,nph,npw->nchw", dy, down.Weights, across.Weights));
        if (!context.Wants(1)) return;
        string seen = Einsum("ncp,nchw->nphw", dy, x);
        string dx = Einsum("nphw,nph,npw->np", seen, down.Weights, across.Slopes);
        string dv = Einsum("nphw,nph,npw->np", seen, down.Slopes, across.Weights);
        context.Give(1, graph.Like(graph.Concat(2, graph.Unsqueeze(dx, [2]), graph.Unsqueeze(dv, [2])), context.In(1)));

        string Einsum(string equation, params string[] operands)
            => graph.Op("Einsum", operands, BackwardGraph.Text("equation", equation));
    }

    /// <summary>A grid is the product of its matrix with (x, y, 1), which the matrix without rotation shows.</summary>
    public static void AffineGrid(GradientContext context)
    {
        if (context.InSizes(0, 1)[0] != 2) throw new NoGradientException("it turns volumes");
        var graph = context.Graph;
        string plain = graph.Op("Expand", [graph.Numbers([1, 0, 0, 0, 1, 0], [1, 2, 3], context.Type), graph.Shape(context.In(0))]);
        string places = graph.Op("AffineGrid", [plain, context.In(1)], BackwardGraph.Int("align_corners", context.Int("align_corners", 0)));
        string one = graph.Op("Pow", [graph.Part(places, 3, 0, 1), graph.Number(0, context.Type)]);
        string along = graph.Merged(graph.Concat(3, places, one), 1);
        context.Give(0, graph.MatMul(graph.Transpose(graph.Merged(context.Gradient(0)!, 1), [0, 2, 1]), along));
    }

    /// <summary>Of every position, the weight of each row (or column), and how it changes with the grid: [n, p, size].</summary>
    private sealed record GridAxis(string Weights, string Slopes)
    {
        public static GridAxis Of(GradientContext context, int coordinate, int axis)
        {
            var graph = context.Graph;
            int type = context.Type;
            string padding = context.Text("padding_mode", "zeros");
            if (padding is not ("zeros" or "border")) throw new NoGradientException($"its padding is {padding}");
            bool alignsCorners = context.Int("align_corners", 0) != 0;
            string one = graph.Number(1, type), two = graph.Number(2, type), zero = graph.Number(0, type);
            string grid = graph.Merged(graph.Op("Gather", [context.In(1), graph.Integer(coordinate)], BackwardGraph.Int("axis", 3)), 1);
            string size = graph.Cast(graph.Op("Gather", [graph.Shape(context.In(0)), graph.Integer(axis)]), type);
            string last = graph.Sub(size, one);
            // −1 and 1 are the centres of the outer elements, or their outer edges.
            string step = graph.Div(alignsCorners ? last : size, two);
            string position = alignsCorners ? graph.Mul(graph.Add(grid, one), step)
                : graph.Sub(graph.Mul(graph.Add(grid, one), step), graph.Number(0.5, type));
            // At the border the nearest element has no distance and the next one no weight: what lies beyond has no slope.
            if (padding == "border") position = graph.Op("Min", [graph.Op("Max", [position, zero]), last]);
            string distance = Distance(graph, position, size, type, [2]);
            string near = graph.Mask("Less", graph.Op("Abs", [distance]), one, type);
            return new(Hat(graph, position, size, type, [2]),
                graph.Mul(step, graph.Op("Neg", [graph.Mul(graph.Op("Sign", [distance]), near)])));
        }
    }
}
