using Espalier.Cli.Host;

namespace Espalier.Cli.Pages;

/// <summary>
/// The network from input to output: a column for each operator, as tall as it is wide in the dense model, filled as far as it stays.
/// </summary>
internal static class Drawing
{
    private const double Width = 1000, Tallest = 210, Widest = 46, Band = 26;

    /// <summary>Fewer of a name than this say nothing.</summary>
    private const int FewestLetters = 10;

    private const int LeastBeginning = 2;

    /// <param name="layers">In the order of the model.</param>
    /// <param name="slim">Whether something could have gone: without, the drawing says what may go.</param>
    public static void Write(Html page, IReadOnlyList<LayerReport> layers, bool slim)
    {
        if (layers.Count == 0) return;
        double step = Math.Min(Widest, Width / layers.Count), left = (Width - (step * layers.Count)) / 2;
        double root = Math.Sqrt(Math.Max(1, layers.Max(l => l.Units)));
        page.Add($"""
            <figure class="network">
            <svg viewBox="0 -1 {Width} {Tallest + Band + 1}" role="img" aria-label="The network, operator by operator">
            <defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect class="hatch" width="2" height="6"/></pattern></defs>

            """);
        Bands(page, layers, left, step);
        foreach (var (k, layer) in layers.Index())
        {
            double x = left + (k * step), gap = Math.Min(3, step * 0.16), wide = step - gap;
            double tall = layer.Units == 0 ? 5 : Math.Max(8, Math.Sqrt(layer.Units) / root * Tallest);
            Column(page, layer, new(x + (gap / 2), wide, tall), slim);
        }
        page.Raw("</svg>\n<figcaption>");
        Legend(page, layers, slim);
        page.Raw("</figcaption>\n</figure>\n");
    }

    /// <summary>The same columns, as tall as the work of each.</summary>
    public static void WriteWork(Html page, IReadOnlyList<LayerReport> layers, bool slim)
    {
        const double Tall = 110;
        if (layers.Count == 0) return;
        double step = Math.Min(Widest, Width / layers.Count), left = (Width - (step * layers.Count)) / 2, gap = Math.Min(3, step * 0.16);
        double most = Math.Max(1, layers.Max(l => l.MacsBefore));
        page.Add($"""
            <figure class="effort"><svg viewBox="0 0 {Width} {Tall}" role="img" aria-label="Multiply-accumulates, operator by operator">

            """);
        foreach (var (k, layer) in layers.Index())
        {
            double x = left + (k * step) + (gap / 2), dense = Tall * layer.MacsBefore / most, after = Tall * layer.MacsAfter / most;
            page.Add($"<g><title>{Describe(layer, slim)}</title>");
            page.Rect("dense", (x, Tall - dense), (step - gap, dense));
            if (layer.MacsAfter > 0) page.Rect(Fill(layer, slim), (x, Tall - after), (step - gap, after));
            page.Raw("</g>\n");
        }
        page.Raw("</svg><figcaption><span class=\"hint\">Multiply-accumulates of the same columns, in the same order.</span>"
            + "</figcaption></figure>\n");
    }

    private readonly record struct Place(double X, double Wide, double Tall)
    {
        public double Top(double tall) => (Tallest - tall) / 2;
    }

    private static void Column(Html page, LayerReport layer, Place at, bool slim)
    {
        double round = Math.Min(3, at.Wide / 3);
        page.Add($"<g><title>{Describe(layer, slim)}</title>");
        page.Rect(Outline(layer), (at.X, at.Top(at.Tall)), (at.Wide, at.Tall), round);
        double share = layer.Units == 0 ? (layer.MacsAfter > 0 ? 1 : 0) : (double)layer.Kept / layer.Units;
        if (share > 0) page.Rect(Fill(layer, slim), (at.X, at.Top(at.Tall * share)), (at.Wide, at.Tall * share), round);
        if (layer.Rank is not null)
            page.Rect("waist", (at.X + (at.Wide * 0.4), at.Top(at.Tall)), (at.Wide * 0.2, at.Tall));
        page.Raw("</g>\n");
    }

    public static bool IsGone(LayerReport layer) => layer.MacsBefore > 0 && layer.MacsAfter == 0;

    private static string Outline(LayerReport layer) => IsGone(layer) ? "gone" : layer.Units == 0 ? "mix" : "dense";

    private static string Fill(LayerReport layer, bool slim) => layer switch
    {
        { Rank: not null } => "rank",
        { Units: 0 } => "mix",
        { Groups.Count: 0 } => "whole",
        _ => slim ? "slim" : "free",
    };

    /// <summary>Regions that belong together, as bands with their names where there is room.</summary>
    private static void Bands(Html page, IReadOnlyList<LayerReport> layers, double left, double step)
    {
        int odd = 0;
        for (int k = 0; k < layers.Count;)
        {
            int end = k;
            while (end < layers.Count && layers[end].Block == layers[k].Block) end++;
            double x = left + (k * step), wide = (end - k) * step;
            if (layers[k].Block is { Length: > 0 } name)
            {
                int room = (int)(wide / 6.1);
                page.Add($"<g><title>{name}</title>");
                page.Rect(odd++ % 2 == 0 ? "band even" : "band", (x, 0), (wide, Tallest + Band));
                if (room >= Math.Min(name.Length, FewestLetters))
                    page.Add($"""<text x="{x + (wide / 2)}" y="{Tallest + 18}">{Shortened(name, room)}</text>""");
                page.Raw("</g>\n");
            }
            k = end;
        }
    }

    /// <summary>
    /// A name without its middle: the beginning says the part of the network, and what follows the last number which part of which block.
    /// </summary>
    /// <param name="room">Letters that there is room for.</param>
    public static string Shortened(string name, int room)
    {
        if (name.Length <= room) return name;
        int digit = name.AsSpan().LastIndexOfAnyInRange('0', '9');
        int before = digit < 0 ? -1 : name.AsSpan(0, digit).LastIndexOfAnyExceptInRange('0', '9');
        int end = digit < 0 ? 0 : name.Length - before - 1;
        if (end == 0 || end > room - LeastBeginning - 1) end = (room - 1) / 2;
        return name[..(room - 1 - end)] + "…" + name[^end..];
    }

    private static string Describe(LayerReport layer, bool slim)
    {
        string what = $"{layer.Operator} {layer.Node}", after = slim ? FormattableString.Invariant($" → {layer.Kept}") : "";
        if (layer.Units > 0) what += FormattableString.Invariant($"\n{layer.Units}{after} units");
        if (layer.Rank is { } rank) what += FormattableString.Invariant($", two factors with {rank} columns between");
        if (layer.Groups.Count > 0) what += $"\nof {string.Join(" × ", layer.Groups)}";
        else if (layer.Units > 0) what += "\nframed by the model: none can go";
        return what + (slim
            ? $"\n{Figures.Short(layer.MacsBefore)} → {Figures.Short(layer.MacsAfter)} MACs"
            : $"\n{Figures.Short(layer.MacsBefore)} MACs");
    }

    private static void Legend(Html page, IReadOnlyList<LayerReport> layers, bool slim)
    {
        void Key(string name, string text) => page.Add($"""<span class="key"><i class="{name}"></i>{text}</span>""");
        if (slim) Key("dense", "dense");
        Key(slim ? "slim" : "free", slim ? "what stays" : "units that can go");
        if (layers.Any(l => l.Units > 0 && l.Groups.Count == 0)) Key("whole", "frozen: no unit can go");
        if (layers.Any(l => l.Rank is not null)) Key("rank", "two factors");
        if (slim && layers.Any(IsGone)) Key("gone", "removed");
        if (layers.Any(l => l.Units == 0)) Key("mix", "no weight");
        page.Raw("<span class=\"hint\">Left to right: from input to output. The height of a column grows with the root of its units"
            + (slim ? "; the fill is the share that stays" : "") + ". Point at one for its name and figures.</span>");
    }
}
