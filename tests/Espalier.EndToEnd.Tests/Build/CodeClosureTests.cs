using System.Security.Cryptography;
using Espalier.Cli.Building;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Espalier.EndToEnd.Tests.Build;

/// <summary>What the stamp of a calibrated policy sees of the code.</summary>
public sealed class CodeClosureTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier-closure-").FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    private const string Policy = """
        using System.Collections.Generic;
        namespace Shop;
        public sealed record Inputs(int[] Ids, Other Other) { public required string Name { get; init; } }
        public struct Other { public readonly ref readonly int At(in int i) => ref System.Runtime.CompilerServices.Unsafe.AsRef(in i); }
        public static class Slim { static IEnumerable<Inputs> Samples() { yield return new([1], new()) { Name = "a" }; } }
        """;

    private string Hash(params string[] sources)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => Path.GetFileName(p).StartsWith("System.", StringComparison.Ordinal))
            .Select(p => MetadataReference.CreateFromFile(p));
        string path = Path.Combine(_folder, $"{sources.Sum(s => s.Length)}.dll");
        var result = CSharpCompilation.Create("Shop", sources.Select(s => CSharpSyntaxTree.ParseText(s)), references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary)).Emit(path);
        Assert.True(result.Success, string.Join("\n", result.Diagnostics));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        CodeClosure.Append(path, "Shop.Slim", hash);
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    /// <summary>Rows of all tables shift: of types that are named and of those that are referred to, behind modifiers too.</summary>
    [Fact]
    public void Code_that_cannot_be_reached_does_not_count()
    {
        const string Before = """
            namespace A; public class Program { public static void Main() => System.Console.WriteLine(System.DateTime.Now); }
            public interface IFirst { System.Uri At(System.Guid id); }
            """;
        Assert.Equal(Hash(Policy), Hash(Before, Policy));
        Assert.Equal(Hash(Policy), Hash(Policy, Before));
    }

    [Theory]
    [InlineData("[1]", "[2]")]
    [InlineData("\"a\"", "\"b\"")]
    [InlineData("init;", "set;")]
    public void Code_that_can_be_reached_counts(string from, string to)
        => Assert.NotEqual(Hash(Policy), Hash(Policy.Replace(from, to, StringComparison.Ordinal)));
}
