using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Espalier.Axes.Inference;

namespace Espalier.Cli.Options;

/// <summary>Arguments and options that several commands share, each made anew per command.</summary>
internal static class CommonOptions
{
    /// <summary>An argument that names a file which exists.</summary>
    public static Argument<FileInfo> ExistingFile(string name, string description)
    {
        var argument = new Argument<FileInfo>(name) { Description = description };
        argument.Validators.Add(result => MustExist(result, result.GetValueOrDefault<FileInfo>()));
        return argument;
    }

    /// <summary><c>--dim name=value</c>: sizes of dynamic dimensions.</summary>
    public static Option<string[]> Dimensions()
    {
        var option = new Option<string[]>("--dim")
        {
            Description = "Size that stands for a dynamic dimension when costs are counted and random inputs are made; repeatable. "
                + "Without it: 1 for the batch, 224 for height and width of images, 128 elsewhere.",
            HelpName = "name=value",
            DefaultValueFactory = _ => [],
        };
        option.Validators.Add(result =>
        {
            foreach (var text in result.GetValueOrDefault<string[]>() ?? [])
            {
                if (ParseDimension(text) is null)
                    result.AddError($"--dim {text}: expected name=value with a positive whole number, like --dim batch=1.");
            }
        });
        return option;
    }

    public static Option<string[]> Fill()
    {
        var option = new Option<string[]>("--fill")
        {
            Description = "A number that fills an input when random inputs are made, for inputs that take few values, like a sample "
                + "rate; repeatable.",
            HelpName = "input=number",
            DefaultValueFactory = _ => [],
        };
        option.Validators.Add(result =>
        {
            foreach (var text in result.GetValueOrDefault<string[]>() ?? [])
            {
                if (ParseFill(text) is null) result.AddError($"--fill {text}: expected input=number, like --fill sr=16000.");
            }
        });
        return option;
    }

    /// <summary>The numbers of <c>--fill</c> by input.</summary>
    public static IReadOnlyDictionary<string, double> ToFill(string[]? fill) => (fill ?? []).Select(f => ParseFill(f)!.Value)
        .GroupBy(f => f.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Last().Value, StringComparer.Ordinal);

    public static Option<bool> Interface() => new("--allow-interface")
    {
        Description = "Let caches and states among the graph's inputs and outputs shrink with the heads, head dimensions or hidden "
            + "states that they hold. All other inputs and outputs keep their shape.",
    };

    public static Option<int> Seed()
        => new("--seed") { Description = "Seed of everything random; the same seed gives the same result.", HelpName = "N" };

    public static Option<bool> Json(string what = "Print JSON instead of text.") => new("--json") { Description = what };

    /// <summary>The options of the inference that <paramref name="dimensions"/> ask for.</summary>
    public static AxisOptions ToAxisOptions(string[]? dimensions, bool allowInterface = false) => new()
    {
        AllowInterface = allowInterface,
        Dimensions = (dimensions ?? []).Select(d => ParseDimension(d)!.Value).GroupBy(d => d.Name, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Last().Size, StringComparer.Ordinal),
    };

    /// <summary>Makes an option accept only fractions in (0, 1].</summary>
    public static Option<double?> Fraction(string name, string description, string helpName = "R")
    {
        var option = new Option<double?>(name)
        {
            Description = description,
            HelpName = helpName,
            CustomParser = result =>
            {
                // Invariant: on a machine set to German, 0.5 must not mean 5.
                if (double.TryParse(result.Tokens.Single().Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
                    && value is > 0 and <= 1) return value;
                result.AddError($"{name} {result.Tokens.Single().Value}: expected a fraction above 0 and at most 1, like 0.5.");
                return null;
            },
        };
        return option;
    }

    /// <summary>An option for a whole number of at least <paramref name="least"/>.</summary>
    public static Option<int?> Count(string name, string description, int least = 0)
    {
        return new Option<int?>(name)
        {
            Description = description,
            HelpName = "N",
            CustomParser = result =>
            {
                if (int.TryParse(result.Tokens.Single().Value, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
                    && value >= least) return value;
                result.AddError($"{name} {result.Tokens.Single().Value}: expected a whole number of at least {least}.");
                return null;
            },
        };
    }

    /// <summary>An option whose value is one of the given words.</summary>
    public static Option<T?> Choice<T>(string name, string description, IEnumerable<(string Word, T Value)> choices) where T : struct, Enum
    {
        var values = choices.ToDictionary(c => c.Word, c => c.Value, StringComparer.Ordinal);
        string[] words = [.. values.Keys];
        var option = new Option<T?>(name)
        {
            Description = description,
            HelpName = string.Join('|', words),
            // What is none of them is reported below.
            CustomParser = result => values.TryGetValue(result.Tokens.Single().Value, out var value) ? value : null,
        };
        option.AcceptOnlyFromAmong(words);
        return option;
    }

    /// <summary>An option whose value is a member of an enum that has no rows.</summary>
    public static Option<T?> Choice<T>(string name, string description) where T : struct, Enum
        => Choice(name, description, Enum.GetValues<T>().Select(value => (Words.Kebab(value), value)));

    private static void MustExist(SymbolResult result, FileInfo? file)
    {
        if (file is null || file.Exists) return;
        result.AddError(Directory.Exists(file.FullName) ? $"'{file}' is a folder; a file is expected." : $"There is no file '{file}'.");
    }

    private static (string Name, double Value)? ParseFill(string text)
    {
        var at = text.LastIndexOf('=');
        return at > 0 && double.TryParse(text.AsSpan(at + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? (text[..at], value)
            : null;
    }

    private static (string Name, long Size)? ParseDimension(string text)
    {
        var at = text.LastIndexOf('=');
        return at > 0 && long.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size > 0
            ? (text[..at], size)
            : null;
    }
}
