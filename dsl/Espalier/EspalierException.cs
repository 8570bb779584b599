namespace Espalier;

/// <summary>A mistake of the user's that stops the work: the message says what, where, and what to do. The command line prints it without a stack trace.</summary>
public sealed class EspalierException : Exception
{
    /// <summary>A mistake.</summary>
    /// <param name="message">What is wrong, where, and what to do.</param>
    public EspalierException(string message) : base(message) { }

    /// <summary>A mistake that another error revealed.</summary>
    /// <param name="message">What is wrong, where, and what to do.</param>
    /// <param name="inner">The other error.</param>
    public EspalierException(string message, Exception inner) : base(message, inner) { }
}
