namespace Posthorn.Transport.Milter;

/// <summary>Replies where a filter gives none of its own; Postfix's words, which log readers know.</summary>
internal static class MilterReplies
{
    public static readonly SmtpReply Rejected = new(550, "5.7.1", "Command rejected");
    public static readonly SmtpReply TryLater = new(451, "4.7.1", "Service unavailable - try again later");
    public static readonly SmtpReply HangUp = new(421, "4.7.0", "Server closing connection");
    public static readonly SmtpReply Unavailable = new(550, "5.5.0", "Service unavailable");
}
