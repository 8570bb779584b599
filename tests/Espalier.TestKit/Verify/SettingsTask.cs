using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Xunit.Sdk;

namespace VerifyXunit;

/// <summary>How a snapshot is named.</summary>
internal sealed class VerifySettings
{
    internal string? Method { get; private set; }

    internal string Parameters { get; private set; } = "";

    /// <summary>Adds the parameters of a theory to the snapshot's name: <c>Class.Method_a_b.verified.txt</c>.</summary>
    /// <param name="parameters">Text that is fit for file names.</param>
    public void UseTextForParameters(string parameters) => Parameters = "_" + parameters;

    /// <summary>Another name than the test method's.</summary>
    /// <param name="name">The name.</param>
    public void UseMethodName(string name) => Method = name;
}

/// <summary>One comparison with a snapshot; it happens when it is awaited.</summary>
internal sealed class SettingsTask
{
    // Verify writes a byte order mark, so its files and ours are the same bytes.
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: true);

    private readonly string _target;
    private readonly string _extension;
    private readonly string _directory;
    private readonly string _class;
    private readonly string _method;
    private readonly VerifySettings _settings;

    internal SettingsTask(string target, string extension, string directory, string @class, string method, VerifySettings? settings)
        => (_target, _extension, _directory, _class, _method, _settings) = (Normalise(target), extension, directory, @class, method,
            settings ?? new());

    /// <summary>Adds the parameters of a theory to the snapshot's name: <c>Class.Method_a_b.verified.txt</c>.</summary>
    /// <param name="parameters">Values that are fit for file names.</param>
    public SettingsTask UseTextForParameters(string parameters)
    {
        _settings.UseTextForParameters(parameters);
        return this;
    }

    /// <summary>Another name than the test method's.</summary>
    /// <param name="name">The name.</param>
    public SettingsTask UseMethodName(string name)
    {
        _settings.UseMethodName(name);
        return this;
    }

    /// <summary>Compares.</summary>
    /// <exception cref="XunitException">The snapshot is new or differs.</exception>
    public Task ToTask()
    {
        var stem = Path.Combine(_directory,
            string.Create(CultureInfo.InvariantCulture, $"{_class}.{_settings.Method ?? _method}{_settings.Parameters}"));
        var verified = $"{stem}.verified.{_extension}";
        var received = $"{stem}.received.{_extension}";
        var expected = File.Exists(verified) ? Normalise(File.ReadAllText(verified)) : null;
        if (expected == _target)
        {
            File.Delete(received);
            return Task.CompletedTask;
        }
        if (Environment.GetEnvironmentVariable("VERIFY_ACCEPT") == "1")
        {
            File.WriteAllText(verified, _target, Utf8);
            File.Delete(received);
            return Task.CompletedTask;
        }
        File.WriteAllText(received, _target, Utf8);
        throw new XunitException(expected is null
            ? $"New snapshot. Look at {received} and accept it with VERIFY_ACCEPT=1."
            : $"The snapshot differs{FirstDifference(expected, _target)}\nLook at {received} and accept it with VERIFY_ACCEPT=1.");
    }

    /// <summary>Makes the value awaitable.</summary>
    public TaskAwaiter GetAwaiter() => ToTask().GetAwaiter();

    private static string Normalise(string text) => text.TrimStart('\uFEFF').ReplaceLineEndings("\n");

    private static string FirstDifference(string expected, string actual)
    {
        var (left, right) = (expected.Split('\n'), actual.Split('\n'));
        for (var i = 0; i < Math.Max(left.Length, right.Length); i++)
        {
            var (a, b) = (left.ElementAtOrDefault(i), right.ElementAtOrDefault(i));
            if (a != b) return string.Create(CultureInfo.InvariantCulture,
                $" in line {i + 1}:\n  verified: {a ?? "(end)"}\n  received: {b ?? "(end)"}");
        }
        return ".";
    }
}
