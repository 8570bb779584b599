using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>The packages for services, embeddings and images, in a project as a user has it.</summary>
public sealed class HostedBuildTests(SharedFeed feed)
{
    private const string Policies = """
        using Espalier;

        namespace Shop;

        [PruningPolicy("models/encoder.onnx")]
        [Budget(Macs = 0.75), Guard(Agreement = 0.5, Metric = Metric.Embedding)]
        [Embeddings("models/vocab.txt", MaxTokens = 16)]
        internal static partial class SlimText
        {
            [Prune(Axis.Neurons)]
            public static partial Rule Neurons { get; }

            [Calibration(Samples = 16)]
            static IEnumerable<Inputs> Words() => Tokenize(Enumerable.Range(0, 16).Select(i => $"w{i} w{i + 1} w{i * 7 % 16}"));
        }

        #pragma warning disable ESP0017 // how it answers does not matter
        [PruningPolicy("models/tiny.onnx"), Budget(Macs = 0.75)]
        [Images(Mean = new[] { 0.5 })]
        internal static partial class SlimPicture
        {
            [Prune(Axis.Channels, RoundTo = 1)]
            public static partial Rule Channels { get; }
        }
        """;

    private const string Service = """


        // The build's tool does not run on ASP.NET Core and cannot load this type; it has no need to.
        internal abstract class Worker : Microsoft.Extensions.Hosting.BackgroundService;
        """;

    private const string Program = """
        using Microsoft.Extensions.AI;
        using Microsoft.Extensions.DependencyInjection;
        using Shop;

        var services = new ServiceCollection();
        services.AddSlimTextEmbeddings(o => o.IntraOpThreads = 1);
        services.AddSlimPicture();
        services.AddHealthChecks().AddEspalier();
        using var provider = services.BuildServiceProvider();
        var vector = await provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>().GenerateVectorAsync("w1 w2");
        Console.WriteLine($"vector of {vector.Length}, length {Math.Sqrt(vector.ToArray().Sum(v => v * v)):F3}");
        var pictures = provider.GetRequiredService<Espalier.Runtime.ModelSession<SlimPicture.Inputs, SlimPicture.Outputs>>();
        Console.WriteLine($"scores: {pictures.Run(SlimPicture.FromPixels(new byte[3 * 20 * 10], 20, 10)).Scores.Values.Length}");
        """;

    [Fact]
    public void Services_embeddings_and_images_of_a_project_with_the_packages()
    {
        var project = With("Hosted").Write("Policies.cs", Policies + Service).Write("Program.cs", Program)
            .Project(Items + """<FrameworkReference Include="Microsoft.AspNetCore.App" />""");
        project.Build().Succeeds();
        Assert.True(File.Exists(project.Output("models/vocab.txt")));
        project.Run("run", "-c", "Release", "--no-build").Succeeds().Says("vector of 8, length 1.000").Says("scores: 10");
        // The tokenizer makes the calibration data: another one, another model.
        var before = Workspace.Time(project.Made("Shop.SlimText.onnx"));
        File.AppendAllText(project["models/vocab.txt"], "\nw17");
        project.Build().Succeeds();
        Assert.NotEqual(before, Workspace.Time(project.Made("Shop.SlimText.onnx")));
    }

    /// <summary>The packages alone, by their assemblies for .NET 8; a library has no copies of them, and calibrates with them.</summary>
    [Fact]
    public void A_project_for_net8_registers_services_and_compiles()
    {
        var project = With("Registered").Write("Policies.cs", Policies).Write("Registration.cs", """
            using Microsoft.Extensions.DependencyInjection;

            namespace Shop;

            public static class Registration
            {
                public static IServiceCollection AddShop(this IServiceCollection services)
                {
                    services.AddSlimTextEmbeddings(o => o.IntraOpThreads = 1);
                    services.AddSlimPicture();
                    services.AddKeyedSlimPicture("second");
                    services.AddHealthChecks().AddEspalier();
                    return services;
                }

                public static int Scores(byte[] pixels)
                {
                    using var model = SlimPicture.Open();
                    return model.Run(SlimPicture.FromPixels(pixels, 20, 10)).Scores.Values.Length;
                }
            }
            """)
            .Project(Items, "<TargetFramework>net8.0</TargetFramework>", "<OutputType>Library</OutputType><LangVersion>13</LangVersion>");
        project.Build().Succeeds();
        string assets = File.ReadAllText(project["obj/project.assets.json"]);
        string[] names = ["AI", "DependencyInjection", "Images"];
        Assert.All(names, name => Assert.Contains($"lib/net8.0/Espalier.Extensions.{name}.dll", assets, StringComparison.Ordinal));
        Assert.True(File.Exists(project.Output("espalier/Shop.SlimPicture.onnx", "net8.0")));
    }

    private static string Items => $"""
        <OnnxModel Include="models/*.onnx" />
        <EspalierTokenizer Include="models/vocab.txt" />
        <PackageReference Include="Espalier.Extensions.AI" Version="{PackedFeed.Version}" />
        <PackageReference Include="Espalier.Extensions.Images" Version="{PackedFeed.Version}" />
        """;

    /// <summary>A project with both models and a vocabulary.</summary>
    private Workspace With(string name)
    {
        var project = new Workspace(feed.Value, name).Model().Write("models/vocab.txt", string.Join('\n',
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Enumerable.Range(0, 17).Select(i => $"w{i}")]));
        using (var encoder = Encoder()) encoder.Save(project["models/encoder.onnx"]);
        return project;
    }

    private static OnnxModel Encoder()
    {
        var g = new GraphBuilder(seed: 3);
        string ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        g.Input("attention_mask", DataType.Int64, "batch", "sequence");
        string x = g.Node("Gather", [g.Weight("words", 24, 8), ids]);
        string inner = g.Relu(g.MatMul(x, g.Weight("up.weight", 8, 32)));
        return g.Output(g.Rename(g.MatMul(inner, g.Weight("down.weight", 32, 8)), "last_hidden_state"), "batch", "sequence", 8).Build();
    }
}
