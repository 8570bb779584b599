namespace Espalier.Evaluation;

/// <summary>Which of the held-out data: decisions are taken on one, the other is reported.</summary>
internal enum Split
{
    Validation,
    Test,
}
