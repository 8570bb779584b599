Console.WriteLine(Espalier.Axes.Tests.OperatorCases.All.Count);
