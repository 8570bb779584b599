using System.Globalization;
using System.Numerics.Tensors;

namespace Search;

/// <summary>How often slim and dense answer alike.</summary>
/// <param name="Questions">Questions that were asked.</param>
/// <param name="SameFirst">Share of them whose first hit is the same.</param>
/// <param name="SameOfTen">Of the dense model's first ten hits the share that the slim model has among its first ten.</param>
/// <param name="Choices">Choices of sentences: each question on each text.</param>
/// <param name="SameChoice">Share of them in which both models choose the same sentences.</param>
/// <param name="SameSentences">Of the sentences that the dense model chooses the share that the slim model chooses too.</param>
/// <param name="ByChance">The same for a choice of sentences at random.</param>
/// <param name="Cosine">Mean cosine of both models' vectors of a verse.</param>
public sealed record Report(int Questions, double SameFirst, double SameOfTen, int Choices, double SameChoice, double SameSentences,
    double ByChance, double Cosine)
{
    /// <summary>Verses of a text, and tokens that may stay of its some 1,600.</summary>
    public const int TextLength = 50, Budget = 256;

    public static async Task<Report> Make(Passages dense, Passages slim, IReadOnlyList<string> questions)
    {
        int first = 0, ten = 0, choices = 0, same = 0, shared = 0, chosen = 0, chance = 0;
        // Seeded: a report is the same every time.
        var random = new Random(1);
        foreach (string question in questions)
        {
            int[] a = Places(await dense.Search(question, 10)), b = Places(await slim.Search(question, 10));
            first += a[0] == b[0] ? 1 : 0;
            ten += a.Intersect(b).Count();
            for (int at = 0; at + TextLength <= Texts.Count; at += TextLength)
            {
                a = Places(await dense.Filter(question, at..(at + TextLength), Budget));
                b = Places(await slim.Filter(question, at..(at + TextLength), Budget));
                choices++;
                same += a.SequenceEqual(b) ? 1 : 0;
                shared += a.Intersect(b).Count();
                chosen += a.Length;
                int[] any = [.. Enumerable.Range(at, TextLength)];
                random.Shuffle(any);
                int left = Budget;
                chance += any.Where(i => dense.Tokens[i] <= left && (left -= dense.Tokens[i]) >= 0).Intersect(a).Count();
            }
        }
        var cosine = (await dense.Vectors()).Zip(await slim.Vectors(), (x, y) => (double)TensorPrimitives.CosineSimilarity(x, y)).Average();
        return new(questions.Count, (double)first / questions.Count, ten / 10.0 / questions.Count, choices, (double)same / choices,
            (double)shared / chosen, (double)chance / chosen, cosine);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"""
        search: {Questions} questions, {Texts.Count} verses
          the same first hit                         {SameFirst:P1}
          of the first ten the same                  {SameOfTen:P1}
        filter: {Choices} choices from {TextLength} verses, {Budget} tokens
          exactly the same sentences                 {SameChoice:P1}
          of the dense model's sentences the same    {SameSentences:P1}  (at random {ByChance:P1})
        vectors: mean cosine of slim and dense       {Cosine:F3}
        """);

    private static int[] Places(Answer answer) => [.. answer.Hits.Select(h => h.Place)];
}
