using Espalier;
using Microsoft.Extensions.AI;
using Search;

// The program's folder has the settings, wherever it is started from.
var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
var settings = builder.Configuration.GetSection("Models");
builder.Services.AddSlimSearchEmbeddings(settings);
builder.Services.AddKeyedSlimSearchEmbeddings("dense", options =>
{
    options.Bind(settings);
    options.ModelPath = PolicyFiles.Dense(SlimSearch.Plan.Model);
});
builder.Services.AddHealthChecks().AddEspalier();
builder.Services.AddSingleton<IReadOnlyList<string>>(Texts.Verses());
builder.Services.AddSingleton<Passages>();
builder.Services.AddKeyedSingleton("dense", (services, key) => new Passages(
    services.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>(key),
    services.GetRequiredService<IReadOnlyList<string>>()));
var app = builder.Build();

var (slim, dense) = (app.Services.GetRequiredService<Passages>(), app.Services.GetRequiredKeyedService<Passages>("dense"));
if (args.Contains("--report"))
{
    var (before, after) = (SlimSearch.Plan.Report.Before, SlimSearch.Plan.Report.After);
    Console.WriteLine(FormattableString.Invariant($"{before.Macs:N0} → {after.Macs:N0} MACs, {before.Bytes:N0} → {after.Bytes:N0} bytes"));
    Console.WriteLine(await Report.Make(dense, slim, Texts.Questions()));
    return;
}

app.MapGet("/", () => Results.Content(Texts.Page(), "text/html; charset=utf-8"));
app.MapGet("/search", async (string q, int? count, CancellationToken cancellation)
    => await Both(passages => passages.Search(q, Math.Clamp(count ?? 5, 1, 50), cancellation)));
app.MapGet("/filter", async (string q, int? budget, int? text, CancellationToken cancellation) =>
{
    int texts = Texts.Count / Report.TextLength, at = Math.Clamp(text ?? 0, 0, texts - 1) * Report.TextLength;
    return await Both(passages => passages.Filter(q, at..(at + Report.TextLength), Math.Max(0, budget ?? Report.Budget), cancellation));
});
app.MapGet("/report", async () => await Report.Make(dense, slim, Texts.Questions()));
app.MapGet("/costs", () => new { SlimSearch.Plan.Report.Before, SlimSearch.Plan.Report.After });
app.MapHealthChecks("/health");
app.Run();

// One after the other: side by side they would take each other's processors, and the times would say nothing.
async Task<object> Both(Func<Passages, Task<Answer>> ask)
{
    var (a, b) = (await ask(dense), await ask(slim));
    return new { dense = a, slim = b, same = a.Hits.Select(h => h.Place).Intersect(b.Hits.Select(h => h.Place)) };
}
