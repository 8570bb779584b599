using System.CommandLine;
using System.Globalization;
using Espalier.Cli.Host;

namespace Espalier.Cli.Options;

/// <summary>The options of <c>slim</c> that say where real inputs come from.</summary>
internal sealed class DataArguments
{
    private static readonly CalibrationSource Default = new();

    private readonly Option<string?> _calibrate = new("--calibrate")
    {
        Description = "Real inputs for methods that look at activations: .npy or .npz arrays named after the inputs with samples along "
            + "the first axis, a folder of PNG, JPEG or BMP images, MNIST's idx files, or text. "
            + "Without it, seeded random inputs are used and the report says so.",
        HelpName = "DATA",
    };
    private readonly Option<int?> _samples =
        CommonOptions.Count("--samples", $"Most samples that are read. [default: {Default.Samples}]", least: 1);
    private readonly Option<FileInfo?> _tokenizer = new("--tokenizer")
    {
        Description = "How text becomes tokens: a BPE tokenizer.json, a WordPiece vocab.txt, or an alphabet (a JSON string). [default: "
            + "what lies beside the text or the model]",
        HelpName = "FILE",
    };
    private readonly Option<double[]?> _mean = Numbers("--mean",
        "What is subtracted from images, whose pixels are from 0 to 1: one number, or one per channel like 0.485,0.456,0.406. "
            + "[default: 0]");
    private readonly Option<double[]?> _deviation =
        Numbers("--std", "What images are divided by after that, like 0.229,0.224,0.225. [default: 1]");

    private readonly Option<FileInfo?> _labels = new("--labels")
    {
        Description = "The right answer to every sample, for --divergence or --metric task-loss: .npy, MNIST's idx labels, or text with "
            + "a number at the start of every line. "
            + "[default: an array 'labels' in an .npz, the first column of a .tsv; for language models the next token]",
        HelpName = "FILE",
    };

    /// <summary>All of them, in the order of the help.</summary>
    public IEnumerable<Option> All => [_calibrate, _samples, _tokenizer, _mean, _deviation, _labels];

    /// <summary>Those that say what the model is run on, without the right answers.</summary>
    public IEnumerable<Option> Inputs => [_calibrate, _tokenizer, _mean, _deviation];

    /// <exception cref="UsageException">How data are read, but no data.</exception>
    public CalibrationSource ToSource(ParseResult result)
    {
        var source = new CalibrationSource
        {
            Path = result.GetValue(_calibrate),
            Samples = result.GetValue(_samples) ?? Default.Samples,
            Tokenizer = result.GetValue(_tokenizer)?.ToString(),
            Mean = Given(result, _mean),
            Deviation = Given(result, _deviation),
            Labels = result.GetValue(_labels)?.ToString(),
        };
        if (source.Path is null
            && (source.Tokenizer is not null || source.Mean is not null || source.Deviation is not null || source.Labels is not null))
            throw new UsageException("--tokenizer, --mean, --std and --labels say how data are read: give --calibrate DATA too.");
        return source;
    }

    /// <summary>An option of several values that is not given has an empty array.</summary>
    private static double[]? Given(ParseResult result, Option<double[]?> option)
        => result.GetValue(option) is { Length: > 0 } numbers ? numbers : null;

    private static Option<double[]?> Numbers(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "X[,X,X]",
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = result =>
        {
            string text = result.Tokens.Single().Value;
            var numbers = new List<double>();
            foreach (string part in text.Split(','))
            {
                // Invariant: on a machine set to German, 0.5 must not mean 5.
                if (double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number))
                    numbers.Add(number);
                else result.AddError($"{name} {text}: expected numbers with commas between, like 0.485,0.456,0.406.");
            }
            return [.. numbers];
        },
    };
}
