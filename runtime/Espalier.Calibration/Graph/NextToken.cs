namespace Espalier.Calibration.Graph;

/// <summary>An output that predicts the next of an input's tokens.</summary>
/// <param name="Tokens">Integer input [batch, sequence].</param>
/// <param name="Logits">Output [batch, sequence, classes].</param>
internal sealed record NextToken(string Tokens, string Logits);
