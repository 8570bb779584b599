namespace Espalier.Planning;

/// <summary>Where on the way from 0 to 1 something stops to hold.</summary>
internal static class Bisection
{
    private const int Steps = 50;

    /// <summary>Halves the way fifty times: both ends are then 1e-15 apart.</summary>
    /// <param name="holds">Whether it holds at a number; taken to hold up to one number and not beyond.</param>
    /// <returns>The last number that held, 0 where none did, and the first that did not, 1 where all did.</returns>
    public static (double Holds, double Fails) Find(Func<double, bool> holds)
    {
        double low = 0, high = 1;
        for (int step = 0; step < Steps; step++)
        {
            double middle = (low + high) / 2;
            if (holds(middle)) low = middle;
            else high = middle;
        }
        return (low, high);
    }
}
