namespace Espalier.Fuzz;

/// <summary>Files that were found, one after the other, in this process.</summary>
internal static class CheckCommand
{
    public static int Run(string[] files)
    {
        int bad = 0;
        foreach (var file in files)
        {
            var passed = Passage.Check(File.ReadAllBytes(file));
            if (passed.Ending == Ending.Finding) bad++;
            Console.WriteLine($"{file}: {passed.Ending} in {passed.Stage}, "
                + FormattableString.Invariant($"{passed.Time.TotalMilliseconds:0} ms, {passed.Allocated / 1e6:0.0} MB allocated"));
            if (passed.Exception is not null) Console.WriteLine(passed.Ending == Ending.Finding ? passed.Exception
                : "  " + passed.Exception.Message);
            else if (passed.Bound is not null)
                Console.WriteLine($"  the bound of {passed.Bound} does not hold: {passed.Held >> 20} MB held");
        }
        return bad == 0 ? 0 : 1;
    }
}
