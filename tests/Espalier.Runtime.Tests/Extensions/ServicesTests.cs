using Espalier.Extensions.DependencyInjection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Runtime.Tests.Extensions;

// Inside, since a namespace outside is called Inputs.
using static Espalier.Runtime.Tests.SessionTests;

public class ServicesTests
{
    private const string Policy = "Shop.SlimBert";

    private static Inputs Tokens => new(
        new TensorData<long>(new long[] { 5, 6, 7 }, 1, 3), new TensorData<long>(new long[] { 1, 1, 1 }, 1, 3));

    private static ServiceCollection Services(Action<SlimModelOptions>? configure)
    {
        var services = new ServiceCollection();
        SlimModelServices.Add<Inputs, Outputs>(services, Policy, configure);
        return services;
    }

    [Fact]
    public void One_session_for_the_type_and_the_key_and_the_container_disposes_of_it()
    {
        ModelSession<Inputs, Outputs> session;
        using (var provider = Services(o => o.ModelPath = Bert).BuildServiceProvider())
        {
            session = provider.GetRequiredService<ModelSession<Inputs, Outputs>>();
            Assert.Same(session, provider.GetRequiredKeyedService<ModelSession<Inputs, Outputs>>(Policy));
            Assert.Same(session.Untyped, provider.GetRequiredKeyedService<ModelSession>(Policy));
            using var scope = provider.CreateScope();
            Assert.Same(session, scope.ServiceProvider.GetRequiredService<ModelSession<Inputs, Outputs>>());
            Assert.Equal([1, 6], session.Run(Tokens).Logits.Shape);
        }
        Assert.Throws<ObjectDisposedException>(() => session.Run(Tokens));
    }

    [Fact]
    public void A_key_has_a_session_and_options_of_its_own()
    {
        var seen = new List<int>();
        var services = Services(o => (o.ModelPath, o.IntraOpThreads) = (Bert, 1));
        SlimModelServices.AddKeyed<Inputs, Outputs>(services, Policy, "dense", o =>
        {
            (o.ModelPath, o.IntraOpThreads) = (Bert, 2);
            o.ConfigureSession += s => seen.Add(s.IntraOpNumThreads);
        });
        using var provider = services.BuildServiceProvider();
        var dense = provider.GetRequiredKeyedService<ModelSession<Inputs, Outputs>>("dense");
        Assert.NotSame(provider.GetRequiredService<ModelSession<Inputs, Outputs>>(), dense);
        Assert.Equal([2], seen);
        Assert.Null(provider.GetKeyedService<ModelSession>("other"));
        var error = Assert.Throws<EspalierException>(()
            => SlimModelServices.AddKeyed<Inputs, Outputs>(services, "Shop.Other", "dense", null));
        Assert.Equal("The key 'dense' is that of policy Shop.SlimBert; give policy Shop.Other another one.", error.Message);
    }

    /// <summary>A second call changes the options and adds nothing.</summary>
    [Fact]
    public void Calls_add_up()
    {
        var services = Services(o => o.ModelPath = "nowhere.onnx");
        SlimModelServices.Add<Inputs, Outputs>(services, Policy, o => o.ModelPath = Bert);
        Assert.Single(services, s => s.ServiceType == typeof(ModelSession<Inputs, Outputs>) && s.ServiceKey is null);
        Assert.Single(services, s => s.ServiceType == typeof(ModelSession<Inputs, Outputs>) && s.ServiceKey is Policy);
        using (var provider = services.BuildServiceProvider())
            Assert.Equal(2, provider.GetRequiredService<ModelSession<Inputs, Outputs>>().Untyped.Inputs.Count);
    }

    [Fact]
    public void A_session_of_the_caller_s_stays_the_caller_s()
    {
        using var own = new InferenceSession(Bert);
        using (var provider = Services(o => o.Session = own).BuildServiceProvider())
            Assert.Same(own, provider.GetRequiredService<ModelSession<Inputs, Outputs>>().Untyped.Inner);
        using var again = new ModelSession(own);
        Assert.NotEmpty(again.Run(Tokens.ToTensors()));
    }

    [Fact]
    public void Without_a_path_it_is_the_file_that_the_build_wrote()
    {
        using var provider = Services(null).BuildServiceProvider();
        var error = Assert.Throws<EspalierException>(() => provider.GetRequiredService<ModelSession<Inputs, Outputs>>());
        Assert.Contains(PolicyFiles.FullPath("espalier/Shop.SlimBert.onnx"), error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ModelPath is blank", " ", null, null)]
    [InlineData("IntraOpThreads is 0, but must be at least 1", null, 0, null)]
    [InlineData("InterOpThreads is -1, but must be at least 1", null, null, -1)]
    public void Wrong_options_are_refused_by_name(string says, string? path, int? intra, int? inter)
    {
        using var provider = Services(o => (o.ModelPath, o.IntraOpThreads, o.InterOpThreads) = (path, intra, inter)).BuildServiceProvider();
        var error = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<ModelSession<Inputs, Outputs>>());
        Assert.Equal($"The options of the model 'Shop.SlimBert' are wrong: {says}.", error.Message);
        // Before the first request, too.
        Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<IStartupValidator>().Validate());
    }

    [Fact]
    public void A_section_is_read_key_by_key()
    {
        var section = Section(("IntraOpThreads", "3"), ("interopthreads", "2"), ("ArenaEnabled", "False"), ("ModelPath", "a/b.onnx"),
            ("GraphOptimizationLevel", "ort_enable_basic"));
        var options = new SlimModelOptions();
        options.Bind(section);
        Assert.Equal((3, 2, false, "a/b.onnx", GraphOptimizationLevel.ORT_ENABLE_BASIC), (options.IntraOpThreads, options.InterOpThreads,
            options.ArenaEnabled, options.ModelPath, options.GraphOptimizationLevel));
        using var session = options.ToSessionOptions();
        Assert.Equal((3, 2, false, GraphOptimizationLevel.ORT_ENABLE_BASIC, ExecutionMode.ORT_PARALLEL), (session.IntraOpNumThreads,
            session.InterOpNumThreads, session.EnableCpuMemArena, session.GraphOptimizationLevel, session.ExecutionMode));
    }

    [Theory]
    [InlineData("IntraOpThreads", "four", "The configuration has 'four' for 'Models:IntraOpThreads', which must be a whole number.")]
    [InlineData("ArenaEnabled", "yes", "The configuration has 'yes' for 'Models:ArenaEnabled', which must be true or false.")]
    [InlineData("Threads", "4", "The configuration has 'Models:Threads', which is no setting of a model. There are ModelPath, "
        + "IntraOpThreads, InterOpThreads, ArenaEnabled and GraphOptimizationLevel.")]
    public void Mistakes_in_a_section_are_named(string key, string value, string message)
        => Assert.Equal(message, Assert.Throws<EspalierException>(() => new SlimModelOptions().Bind(Section((key, value)))).Message);

    [Fact]
    public void The_log_says_what_was_opened_and_what_was_not()
    {
        var log = new Recorder();
        var services = Services(o => o.ModelPath = Bert).AddLogging(b => b.AddProvider(log));
        SlimModelServices.AddKeyed<Inputs, Outputs>(services, Policy, "gone", o => o.ModelPath = "gone.onnx");
        using var provider = services.BuildServiceProvider();
        provider.GetRequiredService<ModelSession<Inputs, Outputs>>();
        provider.GetRequiredService<ModelSession<Inputs, Outputs>>();
        Assert.Throws<EspalierException>(() => provider.GetRequiredKeyedService<ModelSession>("gone"));
        Assert.Equal(2, log.Lines.Count);
        Assert.Matches(@"^Information Espalier\.Runtime\.ModelSession: Opened '.*bert\.onnx' for Shop\.SlimBert: \d+ bytes in [\d.]+ ms\.$",
            log.Lines[0]);
        Assert.Matches(@"^Error Espalier\.Runtime\.ModelSession: '.*gone\.onnx' for gone cannot be opened\.$", log.Lines[1]);
    }

    [Fact]
    public async Task The_health_check_opens_every_model()
    {
        var services = Services(o => o.ModelPath = Bert);
        services.AddLogging().AddHealthChecks().AddEspalier(tags: ["ready"]);
        using var provider = services.BuildServiceProvider();
        var report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(r => r.Tags.Contains("ready"));
        Assert.Equal((HealthStatus.Healthy, "input_ids int64[batch,sequence], attention_mask int64[batch,sequence]"),
            (report.Status, report.Entries["espalier"].Data[Policy]));

        SlimModelServices.AddKeyed<Inputs, Outputs>(services, Policy, "gone", o => o.ModelPath = "gone.onnx");
        using var broken = services.BuildServiceProvider();
        report = await broken.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        Assert.Equal(HealthStatus.Unhealthy, report.Status);
        Assert.Contains("There is no model at", report.Entries["espalier"].Description, StringComparison.Ordinal);
        Assert.StartsWith("input_ids", (string)report.Entries["espalier"].Data[Policy], StringComparison.Ordinal);
    }

    private static IConfigurationSection Section(params (string Key, string Value)[] entries)
        => new ConfigurationBuilder().AddInMemoryCollection(entries.Select(e => KeyValuePair.Create("Models:" + e.Key, (string?)e.Value)))
            .Build().GetSection("Models");

    private sealed class Recorder : ILoggerProvider, ILogger
    {
        private string _category = "";

        public List<string> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName)
        {
            if (categoryName.StartsWith("Espalier", StringComparison.Ordinal)) _category = categoryName;
            return this;
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Lines.Add($"{logLevel} {_category}: {formatter(state, exception)}");

        public void Dispose()
        {
        }
    }
}
