namespace Espalier;

/// <summary>
/// A mistake that the user can correct: the message says what is wrong, where, and what to do. Tools print it without a stack trace.
/// </summary>
public class EspalierException : Exception
{
    /// <summary>A mistake.</summary>
    /// <param name="message">What, where, and what to do.</param>
    public EspalierException(string message) : base(message) { }

    /// <summary>A mistake with its cause.</summary>
    /// <param name="message">What, where, and what to do.</param>
    /// <param name="innerException">The cause.</param>
    public EspalierException(string message, Exception innerException) : base(message, innerException) { }
}
