using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules.Sequences;

/// <summary>
/// Recurrences, step by step: the states are computed once more, and the gradient goes through the steps from the last to the first.
/// Products with the weights are those of all steps at once.
/// </summary>
internal static class RecurrentRules
{
    /// <summary>More steps would make a graph that is too long.</summary>
    private const long MostSteps = 256;

    public static void Recurrent(GradientContext context)
    {
        string direction = context.Text("direction", "forward");
        Require(context);
        var directions = Enumerable.Range(0, direction == "bidirectional" ? 2 : 1)
            .Select(d => new Direction(context, d, direction == "reverse" || d == 1)).ToList();
        var graph = context.Graph;
        if (context.Wants(0)) context.Give(0, directions.Select(d => d.Input).Aggregate(graph.Add));
        Stacked(1, d => d.Weights);
        Stacked(2, d => d.Recurrent);
        Stacked(3, d => d.Bias);
        Stacked(5, d => d.Hidden);
        Stacked(6, d => d.Cell!);

        void Stacked(int operand, Func<Direction, string> of)
        {
            if (context.Wants(operand)) context.Give(operand, graph.Concat(0, [.. directions.Select(d => graph.Unsqueeze(of(d), [0]))]));
        }
    }

    private static void Require(GradientContext context)
    {
        if (context.Has(4)) throw new NoGradientException("its sequences have lengths of their own");
        if (context.Has(7)) throw new NoGradientException("its gates look at the cell (peepholes)");
        if (context.Int("layout", 0) != 0) throw new NoGradientException("its batch comes first");
        if (context.Int("input_forget", 0) != 0) throw new NoGradientException("its input gate is tied to its forget gate");
        if (context.Node.Attribute.Any(a => a.Name == "clip")) throw new NoGradientException("it clips what comes in at its gates");
        long steps = context.InSizes(0)[0];
        if (steps > MostSteps) throw new NoGradientException($"it has {steps} steps, more than {MostSteps}");
    }

    /// <summary>Gradients of the weights and states of one direction, and its part of the input's.</summary>
    private sealed class Direction
    {
        private readonly GradientContext _context;
        private readonly int _number;
        private readonly List<int> _order;
        private readonly List<StepState> _states = [];
        private readonly Dictionary<int, StepGradients> _gradients = [];

        public Direction(GradientContext context, int number, bool isReverse)
        {
            (_context, _number) = (context, number);
            int steps = (int)context.InSizes(0)[0];
            _order = [.. Enumerable.Range(0, steps)];
            if (isReverse) _order.Reverse();
            var cell = Made();
            _states.Add(new(Initial(5), context.Node.OpType == "LSTM" ? Initial(6) : null));
            string inputs = Graph.MatMul(context.In(0), Graph.Transpose(Own(1), [1, 0]));
            if (context.Has(3)) inputs = Graph.Add(inputs, Graph.Part(Own(3), 0, 0, cell.Size * Count));
            foreach (int t in _order) _states.Add(cell.Forward(Graph.Op("Gather", [inputs, Graph.Integer(t)]), _states[^1]));
            Backwards(cell);
        }

        private BackwardGraph Graph => _context.Graph;

        private int Count => _context.Node.OpType switch { "LSTM" => 4, "GRU" => 3, _ => 1 };

        public string Hidden { get; private set; } = "";

        public string? Cell { get; private set; }

        public string Input => Graph.Like(Graph.MatMul(Rows(g => g.FromInput), Own(1)), _context.In(0));

        public string Weights => Product(Rows(g => g.FromInput), ProductRules.Rows(Graph, _context.In(0)));

        public string Bias => Graph.Concat(0, Graph.Sum(Rows(g => g.FromInput), [0], keep: false),
            Graph.Sum(Rows(g => g.FromState), [0], keep: false));

        public string Recurrent
        {
            get
            {
                string rows = Rows(g => g.FromState), before = Graph.Concat(0, [.. _order.Index().OrderBy(o => o.Item)
                    .Select(o => _states[o.Index].Hidden)]);
                if (_gradients[0].Read is null) return Product(rows, before);
                // The last gate reads another state.
                long last = _context.InSizes(2)[2] * (Count - 1);
                return Graph.Concat(0, Product(Graph.Part(rows, 1, 0, last), before),
                    Product(Graph.Part(rows, 1, last, long.MaxValue), Rows(g => g.Read!)));
            }
        }

        private void Backwards(RecurrentCell cell)
        {
            string? hidden = Last(1), ofCell = Last(2);
            string? all = _context.Gradient(0) is { } y
                ? Graph.Op("Gather", [y, Graph.Integer(_number)], BackwardGraph.Int("axis", 1)) : null;
            for (int k = _order.Count - 1; k >= 0; k--)
            {
                int t = _order[k];
                string? direct = all is null ? null : Graph.Op("Gather", [all, Graph.Integer(t)]);
                hidden = hidden is null ? direct ?? Zeros() : direct is null ? hidden : Graph.Add(hidden, direct);
                var step = _gradients[t] = cell.Backward(_states[k + 1], _states[k], hidden, ofCell);
                (hidden, ofCell) = (step.Hidden, step.Cell);
            }
            (Hidden, Cell) = (hidden!, ofCell);
        }

        private RecurrentCell Made()
        {
            string[] activations = Activations();
            long size = _context.InSizes(2)[2];
            string? bias = _context.Has(3) ? Graph.Part(Own(3), 0, size * Count, long.MaxValue) : null;
            return _context.Node.OpType switch
            {
                "LSTM" => new LongCell(Graph, Own(2), bias, activations, _context.Type) { Size = size },
                "GRU" => new GatedCell(Graph, Own(2), bias, activations, _context.Type)
                {
                    Size = size,
                    ResetsProduct = _context.Int("linear_before_reset", 0) != 0,
                },
                _ => new PlainCell(Graph, Own(2), bias, activations, _context.Type) { Size = size },
            };
        }

        private string[] Activations()
        {
            int each = Count == 4 ? 3 : Count == 3 ? 2 : 1;
            string[] stated = _context.Node.Attribute.FirstOrDefault(a => a.Name == "activations") is { Strings.Count: > 0 } attribute
                ? [.. attribute.Strings.Skip(_number * each).Take(each).Select(s => s.ToStringUtf8())]
                : Count == 1 ? ["Tanh"] : [.. ((string[])["Sigmoid", "Tanh", "Tanh"])[..each]];
            return stated.FirstOrDefault(a => a is not ("Sigmoid" or "Tanh" or "Relu")) is { } other
                ? throw new NoGradientException($"its activation {other} is not followed") : stated;
        }

        private string Own(int operand) => Graph.Op("Gather", [_context.In(operand), Graph.Integer(_number)]);

        private string Initial(int operand) => _context.Has(operand) ? Own(operand) : Zeros();

        private string Zeros() => Graph.Zeros(Graph.Concat(0, Graph.Size(_context.In(0), 1), Graph.Integers(_context.InSizes(2)[2])),
            _context.Type);

        private string? Last(int result)
            => _context.Gradient(result) is { } gradient ? Graph.Op("Gather", [gradient, Graph.Integer(_number)]) : null;

        // All samples of all steps, in the order of the input.
        private string Rows(Func<StepGradients, string> of)
            => Graph.Concat(0, [.. _gradients.OrderBy(g => g.Key).Select(g => of(g.Value))]);

        private string Product(string left, string right) => Graph.Op("Gemm", [left, right], BackwardGraph.Int("transA", 1));
    }
}
