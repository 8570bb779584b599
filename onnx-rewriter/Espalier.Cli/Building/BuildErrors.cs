using Espalier.Cli.Host;
using Espalier.Onnx.Limits;

namespace Espalier.Cli.Building;

/// <summary>What a build says of an exception. It says so before it returns any <see cref="ExitCode"/> but a fault's.</summary>
internal static class BuildErrors
{
    /// <param name="code">The exit code that it leads to.</param>
    /// <param name="otherwise">The file to name where the error has no place of its own.</param>
    /// <param name="project">The project, whose folder the places of a plan are relative to.</param>
    /// <param name="plan">The plan that was being carried out; null before there is one.</param>
    public static BuildMessage Of(Exception e, int code, string otherwise, string project = "", PruningPlan? plan = null)
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
            var place = stated ?? plan.Location;
            origin = place.Length > 0 ? BuildMessage.Full(place, project) : otherwise;
        }
        if (plan is not null && !message.Contains(plan.Policy, StringComparison.Ordinal)) message = $"{plan.Policy}: {message}";
        return new(origin, code == ExitCode.Malformed ? BuildMessage.Malformed : BuildMessage.Refused, OneLine(message));
    }

    private static string OneLine(string text)
        => string.Join(' ', text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
