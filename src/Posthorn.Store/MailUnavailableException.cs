namespace Posthorn.Store;

/// <summary>The mail cannot be read or changed now. Sessions say so in words of their own; the cause is in the log.</summary>
/// <param name="message">What happened, for the log.</param>
/// <param name="mustReconnect">Whether what a session knows of the mail counts no more: it must end, and its client come again.</param>
public class MailUnavailableException(string message, bool mustReconnect) : IOException(message)
{
    /// <summary>Whether the session must end.</summary>
    public bool MustReconnect { get; } = mustReconnect;
}
