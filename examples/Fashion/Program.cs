using System.Globalization;
using Espalier;
using Espalier.Runtime;
using Fashion;
using Microsoft.ML.OnnxRuntime;
using Spectre.Console;

// One thread: processor time then says what one core does, whatever else runs.
using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
var images = new TestImages(Path.Combine(AppContext.BaseDirectory, "data"));

using var dense = SlimFashion.OpenDense(options);
using var slim = SlimFashion.Open(options);
var report = SlimFashion.Plan.Report;
var measured = Measurement.Of(images, x => dense.Run(new(x)).Logits, x => slim.Run(new(x)).Logits);
var (before, after) = (measured[0], measured[1]);

var table = new Table().Title($"resnet on {images.Count.ToString("N0", CultureInfo.InvariantCulture)} Fashion-MNIST test images")
    .Border(TableBorder.Rounded);
table.AddColumn("");
foreach (var column in (string[])["dense", "slim", "ratio"]) table.AddColumn(new TableColumn(column).RightAligned());
Row("top-1 accuracy", Percent(before.Accuracy), Percent(after.Accuracy), after.Accuracy / before.Accuracy);
Row("agreement with dense", Percent(1), Percent(after.Agreement(before)), after.Agreement(before));
Row("parameters", Count(report.Before.Parameters), Count(report.After.Parameters),
    (double)report.After.Parameters / report.Before.Parameters);
Row("MACs per image", Count(report.Before.Macs), Count(report.After.Macs), (double)report.After.Macs / report.Before.Macs);
Row("bytes of the file", Count(report.Before.Bytes), Count(report.After.Bytes), (double)report.After.Bytes / report.Before.Bytes);
Row("predicted time", "1.000", Number(report.PredictedTimeRatio), report.PredictedTimeRatio);
Row("measured CPU time per image", Micro(before), Micro(after), after.Seconds / before.Seconds);
AnsiConsole.Write(table);

var path = Path.Combine(AppContext.BaseDirectory, "accuracy-against-macs.png");
Curve.Draw(path, before.Accuracy,
    ("Best", [Point(At90.Open(), At90.Plan.Report, (m, x) => m.Run(new(x)).Logits),
        Point(At75.Open(), At75.Plan.Report, (m, x) => m.Run(new(x)).Logits), Slim(),
        Point(At35.Open(), At35.Plan.Report, (m, x) => m.Run(new(x)).Logits)]),
    ("weight norm, nothing repaired",
        [Point(Plain90.Open(), Plain90.Plan.Report, (m, x) => m.Run(new(x)).Logits),
            Point(Plain75.Open(), Plain75.Plan.Report, (m, x) => m.Run(new(x)).Logits),
            Point(Plain50.Open(), Plain50.Plan.Report, (m, x) => m.Run(new(x)).Logits)]));
// Not through the table's console, which would break a long path in two.
Console.WriteLine($"Accuracy against MACs: {path}");

void Row(string name, string dense, string slim, double ratio) => table.AddRow(name, dense, slim, Number(ratio));

Point Slim() => new(Fraction(report), after.Accuracy);

Point Point<TInputs, TOutputs>(ModelSession<TInputs, TOutputs> session, PruningReport report,
    Func<ModelSession<TInputs, TOutputs>, TensorData<float>, TensorData<float>> run)
    where TInputs : IModelInputs where TOutputs : IModelOutputs<TOutputs>
{
    using (session) return new Point(Fraction(report), Measurement.Of(images, x => run(session, x))[0].Accuracy);
}

double Fraction(PruningReport report) => (double)report.After.Macs / report.Before.Macs;
string Micro(Measurement m) => string.Create(CultureInfo.InvariantCulture, $"{m.Seconds / images.Count * 1e6:0} µs");
string Percent(double value) => string.Create(CultureInfo.InvariantCulture, $"{100 * value:0.00} %");
string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
