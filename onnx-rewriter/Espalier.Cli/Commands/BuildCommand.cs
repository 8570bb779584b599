using System.CommandLine;
using Espalier.Cli.Building;
using Espalier.Cli.Host;
using Espalier.Cli.Options;

namespace Espalier.Cli.Commands;

/// <summary><c>build</c>: what the targets of Espalier.Build call.</summary>
internal static class BuildCommand
{
    public static Command Create(Terminal terminal)
    {
        var file = new Option<FileInfo>("--request")
        { Description = "What to do, as the targets wrote it.", HelpName = "FILE", Required = true };
        var json = CommonOptions.Json();
        var command = new Command("build",
            "Do what the build's targets ask for: write a model's manifest, or slim by the policies of a compiled assembly. Errors have "
                + "the form of compiler errors.") { file, json };
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            string path = result.GetRequiredValue(file).FullName;
            int code = Run(path, terminal, cancellationToken);
            if (result.GetValue(json)) terminal.Out.WriteLine(JsonText.Of(new { exitCode = code, files = Files(path, code) }));
            return code;
        }, cancellationToken));
        return command;
    }

    /// <summary>What is there now: the manifest, or what the targets copy beside the program.</summary>
    private static IEnumerable<string> Files(string path, int code)
    {
        var request = BuildRequest.Read(path);
        if (code != ExitCode.Done) return [];
        return request.Manifest is { } manifest ? [manifest] : BuildJob.Listed(request.Output!);
    }

    public static int Run(string path, Terminal terminal, CancellationToken cancellationToken)
    {
        string file = path;
        try
        {
            var request = BuildRequest.Read(path);
            file = request.Manifest is null ? request.Project : request.Models[0].Path;
            if (request.Manifest is not { } manifest) return new BuildJob(request, terminal).Run(cancellationToken);
            var model = request.Models.Single();
            ManifestCommand.Write(model.Path, model.Name, manifest, model.Axes);
            return ExitCode.Done;
        }
        catch (Exception e) when (ErrorMessages.Explain(e) is { } explained)
        {
            // Of a stopped build too: a build that ends without an error would be a riddle.
            terminal.Error.WriteLine(BuildErrors.Of(e is OperationCanceledException ? new EspalierException(explained.Message) : e,
                explained.Code, file).ToString());
            return explained.Code;
        }
    }
}
