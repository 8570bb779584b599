using System.Reflection;

namespace Espalier.Cli.Pages;

/// <summary>What every page has: the style, and a policy under which a browser neither loads nor runs anything.</summary>
internal static class Shell
{
    private static readonly Lazy<string> Style = new(() =>
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("page.css")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    });

    /// <param name="title">Of the window.</param>
    /// <param name="body">What the page shows.</param>
    public static string Wrap(string title, Html body) => new Html().Add($$"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta name="generator" content="espalier">
        <title>{{title}}</title>
        <style>
        {{new Html().Raw(Style.Value)}}</style>
        </head>
        <body>
        <main>
        {{body}}</main>
        <footer>Written by <b>espalier</b>. Nothing on this page was loaded from anywhere.</footer>
        </body>
        </html>

        """).ToString().ReplaceLineEndings("\n");
}
