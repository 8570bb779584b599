using System.Globalization;
using Espalier.Axes.Graph;
using Espalier.Axes.Operators.Notation;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators.Table;

/// <summary>The product that a line of the table states.</summary>
internal sealed partial class RuleApplication
{
    private Contraction Contract(int[] operands)
    {
        var (left, right) = (Variables(_names[operands[0]]!, _context.Input(operands[0])!.Terms!),
            Variables(_names[operands[1]]!, _context.Input(operands[1])!.Terms!));
        var result = new Dictionary<string, int>(StringComparer.Ordinal);
        var pattern = _rule.Results[0];
        int axis = 0;
        foreach (var part in pattern.Axes)
        {
            if (part is AxisPattern.Pack pack)
            {
                int count = _packs.GetValueOrDefault(pack.Name)?.Count ?? 0;
                for (int k = 0; k < count; k++)
                    result[pack.Name.Length == 0
                        ? Broadcasting(count - 1 - k)
                        : pack.Name + k.ToString(CultureInfo.InvariantCulture)] = axis++;
            }
            else
            {
                foreach (string name in part.Names) result[name] = axis;
                axis++;
            }
        }
        var axes = new List<(Term, int, int, int)>();
        foreach (string name in left.Keys.Concat(right.Keys).Concat(result.Keys).Distinct())
        {
            int l = left.GetValueOrDefault(name, -1), r = right.GetValueOrDefault(name, -1), o = result.GetValueOrDefault(name, -1);
            // Size one: a product may give a single number, so that axis counts where only one operand has it; elsewhere it is
            // broadcast, or no sum.
            if (TermOf(name) is not { } term || (term.IsOne && (o < 0 || l >= 0 == r >= 0))) continue;
            axes.Add((term, l, r, o));
            if (o < 0 && l >= 0 && r >= 0) _context.Record.Sums.Add((term, [operands[0], operands[1]]));
        }
        return new(operands[0], operands[1], operands.Length > 2 && _context.Input(operands[2]) is not null ? operands[2] : -1, axes);

        static Dictionary<string, int> Variables(List<string[]> names, Term[] terms)
        {
            var map = new Dictionary<string, int>(StringComparer.Ordinal);
            for (int k = 0; k < names.Count; k++)
                foreach (string name in names[k])
                    if (!terms[k].IsOne || !char.IsAsciiDigit(name[^1])) map[name] = k;
            return map;
        }

        Term? TermOf(string name)
        {
            if (_variables.TryGetValue(name, out var term)) return term;
            int digits = name.Length;
            while (digits > 0 && char.IsAsciiDigit(name[digits - 1])) digits--;
            if (digits == name.Length || !int.TryParse(name[digits..], CultureInfo.InvariantCulture, out int index)) return null;
            if (name.StartsWith("...", StringComparison.Ordinal))
                return _packs.TryGetValue("", out var broadcast) && index < broadcast.Count ? broadcast[^(index + 1)] : null;
            return _packs.TryGetValue(name[..digits], out var pack) && index < pack.Count ? pack[index] : null;
        }
    }
}
