using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Search;

namespace Espalier.Examples.Tests;

/// <summary>The server as a user runs it, asked over HTTP and by a browser.</summary>
public sealed partial class SearchTests(SearchServer server) : IClassFixture<SearchServer>
{
    private const string Question = "A storm at sea that frightened the sailors";

    [Fact]
    public void The_slim_model_keeps_its_budget_and_its_guard()
    {
        var report = SlimSearch.Plan.Report;
        Assert.InRange(report.After.Macs, 1, 0.75 * report.Before.Macs);
        Assert.Equal(new Guard(Agreement: 0.95, Metric: Metric.Embedding), SlimSearch.Plan.Value.Guard);
    }

    [Fact]
    public async Task Both_models_find_the_verse_that_is_meant()
    {
        var answer = await server.Get($"/search?q={Uri.EscapeDataString(Question)}&count=3");
        foreach (string model in new[] { "dense", "slim" })
        {
            var hits = answer.GetProperty(model).GetProperty("hits").EnumerateArray().ToList();
            Assert.Equal(3, hits.Count);
            Assert.Contains("tossed with a tempest", hits[0].GetProperty("text").GetString(), StringComparison.Ordinal);
            var similarities = hits.Select(h => h.GetProperty("similarity").GetDouble()).ToList();
            Assert.Equal(similarities.OrderDescending(), similarities);
            Assert.All(similarities, s => Assert.InRange(s, 0.2, 1));
        }
        Assert.NotEqual(Text(answer, "dense", "similarity"), Text(answer, "slim", "similarity"));
    }

    [Theory]
    [InlineData(256)]
    [InlineData(40)]
    [InlineData(0)]
    public async Task A_filter_keeps_its_budget_and_the_order_of_the_text(int budget)
    {
        var answer = await server.Get($"/filter?q={Uri.EscapeDataString(Question)}&budget={budget}&text=1");
        using var generator = SlimSearch.CreateEmbeddingGenerator();
        var passages = new Passages(generator, Texts.Verses());
        foreach (string model in new[] { "dense", "slim" })
        {
            int[] places = [.. answer.GetProperty(model).GetProperty("hits").EnumerateArray()
                .Select(h => h.GetProperty("place").GetInt32())];
            Assert.InRange(places.Sum(p => passages.Tokens[p]), 0, budget);
            Assert.Equal(places.Order(), places);
            Assert.All(places, p => Assert.InRange(p, 50, 99));
            Assert.Equal(budget > 0, places.Length > 0);
        }
    }

    [Fact]
    public async Task Slim_and_dense_choose_much_the_same()
    {
        var report = await server.Get("/report");
        double Share(string name) => report.GetProperty(name).GetDouble();
        // examples/README.md has the figures; other processors round otherwise.
        Assert.InRange(Share("cosine"), 0.96, 0.999);
        Assert.InRange(Share("sameOfTen"), 0.7, 0.99);
        Assert.InRange(Share("sameSentences"), 0.7, 0.99);
        Assert.InRange(Share("byChance"), 0.1, 0.3);
    }

    [Fact]
    public async Task The_server_is_healthy_and_refuses_questions_without_text()
    {
        Assert.Equal("Healthy", await server.Client.GetStringAsync("/health"));
        Assert.Equal(400, (int)(await server.Client.GetAsync("/search")).StatusCode);
        Assert.Matches(@"Opened '.*Search\.SlimSearch\.onnx' for Search\.SlimSearch: \d+ bytes", server.Log);
    }

    [Theory]
    [InlineData("search", 5)]
    [InlineData("filter", 0)]
    public async Task The_page_shows_both_answers_in_a_browser(string what, int hits)
    {
        string? browser = Browser();
        Assert.SkipWhen(browser is null, "There is no chromium on the PATH.");
        // Vectors first: the browser's time is virtual, the server's is not.
        await server.Get("/search?q=x");
        string page = await Dump(browser!, $"{server.Client.BaseAddress}?q={Uri.EscapeDataString(Question)}&what={what}");
        string Column(string model) => Regex.Match(page, $"<ol id=\"{model}\">(.*?)</ol>", RegexOptions.Singleline).Groups[1].Value;
        int Items(string model) => Item().Count(Column(model));
        Assert.Matches(@"role=""status"">Both chose \d+ of \d+\.<", page);
        Assert.Contains("75 % of the multiply-accumulates", page, StringComparison.Ordinal);
        foreach (string model in new[] { "dense", "slim" })
        {
            Assert.Contains("tossed with a tempest", Column(model), StringComparison.Ordinal);
            if (hits > 0) Assert.Equal(hits, Items(model));
            else Assert.InRange(Items(model), 1, 20);
        }
    }

    private static string Text(JsonElement answer, string model, string property)
        => string.Join(' ', answer.GetProperty(model).GetProperty("hits").EnumerateArray().Select(h => h.GetProperty(property).ToString()));

    private static string? Browser() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(folder => new[] { "chromium", "chromium-browser", "google-chrome" }.Select(name => Path.Combine(folder, name)))
        .FirstOrDefault(File.Exists);

    /// <summary>The document after its scripts have run.</summary>
    private static async Task<string> Dump(string browser, string address)
    {
        var profile = Directory.CreateTempSubdirectory("espalier-browser-");
        try
        {
            // No sandbox: it does not start in containers; the page is our own.
            using var process = Process.Start(new ProcessStartInfo(browser, ["--headless", "--no-sandbox", "--disable-gpu",
                $"--user-data-dir={profile.FullName}", "--virtual-time-budget=30000", "--dump-dom", address])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2));
            try
            {
                var noise = process.StandardError.ReadToEndAsync(patience.Token);
                string page = await process.StandardOutput.ReadToEndAsync(patience.Token);
                await noise;
                return page;
            }
            finally
            {
                if (!process.HasExited) process.Kill(entireProcessTree: true);
            }
        }
        finally
        {
            profile.Delete(recursive: true);
        }
    }

    [GeneratedRegex("<li[ >]")]
    private static partial Regex Item();
}

/// <summary>The example's program in a process of its own, on a free port.</summary>
public sealed partial class SearchServer : IDisposable
{
    private readonly Process _process;
    private readonly List<string> _log = [];
    private readonly TaskCompletionSource<Uri> _address = new();

    public SearchServer()
    {
        _process = Process.Start(new ProcessStartInfo("dotnet",
            [Path.Combine(AppContext.BaseDirectory, "Search.dll"), "--urls", "http://127.0.0.1:0"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _process.OutputDataReceived += (_, line) => Heard(line.Data);
        _process.ErrorDataReceived += (_, line) => Heard(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Assert.True(_address.Task.Wait(TimeSpan.FromMinutes(2)), "The server does not listen:\n" + Log);
        // The first answer waits for the vectors of all verses.
        Client = new HttpClient { BaseAddress = _address.Task.Result, Timeout = TimeSpan.FromMinutes(5) };
    }

    public HttpClient Client { get; }

    public string Log
    {
        get
        {
            lock (_log) return string.Join('\n', _log);
        }
    }

    public Task<JsonElement> Get(string path) => Client.GetFromJsonAsync<JsonElement>(path);

    public void Dispose()
    {
        Client?.Dispose();
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private void Heard(string? line)
    {
        if (line is null) return;
        lock (_log) _log.Add(line);
        if (Listening().Match(line) is { Success: true } match) _address.TrySetResult(new Uri(match.Groups[1].Value));
    }

    [GeneratedRegex(@"Now listening on: (http\S+)")]
    private static partial Regex Listening();
}
