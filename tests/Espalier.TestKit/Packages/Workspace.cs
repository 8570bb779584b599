using Espalier.Onnx;

namespace Espalier.TestKit.Packages;

/// <summary>A clean project that uses the packages, as a user would write it.</summary>
internal sealed class Workspace
{
    /// <summary>Makes the folder of a project.</summary>
    /// <param name="feed">The packages.</param>
    /// <param name="name">Name of the project.</param>
    public Workspace(PackedFeed feed, string name)
    {
        Name = name;
        Folder = Directory.CreateDirectory(Path.Combine(feed.Root, name)).FullName;
    }

    /// <summary>Name of the project.</summary>
    public string Name { get; }

    /// <summary>Its folder; the path has spaces.</summary>
    public string Folder { get; }

    /// <summary>Path of a file of the project.</summary>
    public string this[string relative] => Path.Combine(Folder, relative);

    /// <summary>What the tool wrote, in the intermediate folder.</summary>
    public string Made(string file, string framework = "net10.0") => Path.Combine(Folder, "obj", "Release", framework, "espalier", file);

    /// <summary>A file of the output.</summary>
    public string Output(string file, string framework = "net10.0") => Path.Combine(Folder, "bin", "Release", framework, file);

    /// <summary>When a file was last written; it must be there.</summary>
    public static DateTime Time(string file)
    {
        Assert.True(File.Exists(file), $"there is no '{file}'");
        return File.GetLastWriteTimeUtc(file);
    }

    /// <summary>Writes a file of the project.</summary>
    public Workspace Write(string relative, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(this[relative])!);
        File.WriteAllText(this[relative], text);
        return this;
    }

    /// <summary>Writes the project file.</summary>
    /// <param name="items">Items besides the package.</param>
    /// <param name="frameworks">Target frameworks.</param>
    /// <param name="properties">More properties.</param>
    public Workspace Project(string items, string frameworks = "<TargetFramework>net10.0</TargetFramework>", string properties = "")
        => Write(Name + ".csproj", $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            {frameworks}
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
            <SelfContained>false</SelfContained>
            <RuntimeIdentifier>$(NETCoreSdkPortableRuntimeIdentifier)</RuntimeIdentifier>
            <AppendRuntimeIdentifierToOutputPath>false</AppendRuntimeIdentifierToOutputPath>
            <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
            <UseSharedCompilation>false</UseSharedCompilation>
            {properties}
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="Espalier" Version="{PackedFeed.Version}" />
            {items}
          </ItemGroup>
        </Project>
        """);

    /// <summary>A small network: three convolutions and a classifier.</summary>
    public Workspace Model(string relative = "models/tiny.onnx", int channels = 8)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(this[relative])!);
        var g = new GraphBuilder(seed: 7);
        var x = g.Input("image", "batch", 3, 8, 8);
        x = g.Relu(g.Conv(x, "first", 3, channels));
        x = g.Relu(g.Conv(x, "second", channels, channels));
        x = g.Relu(g.Conv(x, "third", channels, 16));
        x = g.Gemm(g.Flatten(g.GlobalPool(x)), "classifier", 16, 10);
        g.Rename(x, "scores");
        g.Output("scores", "batch", 10);
        using OnnxModel model = g.Build();
        model.Save(this[relative]);
        return this;
    }

    /// <summary>Builds in Release.</summary>
    public DotnetText Build(params string[] more) => Run(["build", "-c", "Release", "-nologo", .. more]);

    /// <summary>Runs a dotnet command in the folder.</summary>
    public DotnetText Run(params string[] arguments) => Dotnet.Run(Folder, arguments);
}
