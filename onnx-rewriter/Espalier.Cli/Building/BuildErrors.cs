using Espalier.Cli.Host;
using Espalier.Onnx.Limits;

namespace Espalier.Cli.Building;

/// <summary>Errors in the form that MSBuild and editors take for errors of the build: <c>file(line,column): error CODE: text</c>.</summary>
internal static class BuildErrors
{
    /// <summary>A model cannot be read.</summary>
    private const string Malformed = "ESPB010";

    /// <summary>A plan cannot be carried out.</summary>
    private const string Refused = "ESPB011";

    /// <param name="code">The exit code that it leads to.</param>
    /// <param name="plan">The plan that was being carried out; null before there is one.</param>
    /// <param name="otherwise">The file to name where the error has no place of its own.</param>
    public static string Format(Exception e, int code, PruningPlan? plan, string otherwise)
    {
        var message = e.Message;
        var origin = (e as OnnxFormatException)?.Path ?? otherwise;
        if (message.StartsWith(origin + ": ", StringComparison.Ordinal)) message = message[(origin.Length + 2)..];
        if (plan is not null && e is not OnnxFormatException)
        {
            // A rule's error starts with the rule's place; any other error of a policy belongs to the policy's attribute.
            var stated = plan.Prune.Select(r => r.Location).Concat(plan.Drop.Select(r => r.Location)).Append(plan.Location)
                .FirstOrDefault(l => l.Length > 0 && message.StartsWith(l + ": ", StringComparison.Ordinal));
            if (stated is not null) message = message[(stated.Length + 2)..];
            origin = stated ?? (plan.Location.Length > 0 ? plan.Location : otherwise);
        }
        if (plan is not null && !message.Contains(plan.Policy, StringComparison.Ordinal)) message = $"{plan.Policy}: {message}";
        return $"{origin} : error {(code == ExitCode.Malformed ? Malformed : Refused)}: {OneLine(message)}";
    }

    private static string OneLine(string text)
        => string.Join(' ', text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
