using Espalier.Pruning.Algebra;

namespace Espalier.Pruning.Tests.Algebra;

/// <summary>Products in packed strips.</summary>
public class PanelTests
{
    /// <summary>
    /// Every element is one sum in one order, to the last bit, whatever the sizes leave over of strips, rows and registers.
    /// </summary>
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(3, 5, 7)]
    [InlineData(4, 9, 16)]
    [InlineData(33, 40, 50)]
    [InlineData(70, 3, 100)]
    public void Every_element_is_added_up_in_one_order(int rows, int depth, int columns)
    {
        var random = new Random(rows);
        double[] a = Seeded.Normals(random, rows * depth), b = Seeded.Normals(random, depth * columns);
        double[] c = Seeded.Normals(random, rows * columns), sum = (double[])c.Clone(), below = (double[])c.Clone();
        var panel = Panel.Of(new(b, 0, columns), depth, columns);
        panel.Add(-0.75, a, sum);
        panel.AddBelow(-0.75, a, below);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                double product = 0;
                for (int p = 0; p < depth; p++) product = Math.FusedMultiplyAdd(a[(i * depth) + p], b[(p * columns) + j], product);
                double expected = c[(i * columns) + j] + (-0.75 * product);
                Assert.Equal(expected, sum[(i * columns) + j]);
                if (j <= i) Assert.Equal(expected, below[(i * columns) + j]);
            }
        }
    }
}
