namespace Espalier.Fuzz;
internal static class TestDataCommand { public static int Run(string folder) => 2; }
