using System.ComponentModel;
using System.Diagnostics;

namespace Espalier.Evaluation;

/// <summary>Which code of the product is being measured.</summary>
internal static class CodeVersion
{
    private static readonly string[] Product = ["dsl", "onnx-rewriter", "runtime"];

    /// <summary>
    /// The last commit that touched the product, short, with <c>-dirty</c> where it is changed since; a commit of pages and tables
    /// makes no row old. <c>unknown</c> outside of a repository.
    /// </summary>
    public static string Of(string root)
    {
        string commit = Git(root, ["log", "-1", "--format=%h", "--", .. Product]);
        if (commit.Length == 0) return "unknown";
        return Git(root, ["status", "--porcelain", "--", .. Product]).Length > 0 ? commit + "-dirty" : commit;
    }

    private static string Git(string root, string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("git", arguments)
            { WorkingDirectory = root, RedirectStandardOutput = true, RedirectStandardError = true })!;
            string output = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : "";
        }
        catch (Win32Exception)
        {
            return "";
        }
    }
}
