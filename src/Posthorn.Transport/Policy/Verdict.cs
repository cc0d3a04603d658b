namespace Posthorn.Transport.Policy;

/// <summary>Where in a session a check is asked, in order.</summary>
public enum CheckStage
{
    /// <summary>Before the greeting.</summary>
    Connect,
    /// <summary>EHLO, HELO or LHLO.</summary>
    Helo,
    /// <summary>MAIL.</summary>
    Sender,
    /// <summary>RCPT, each.</summary>
    Recipient,
    /// <summary>DATA or the first BDAT.</summary>
    Data,
    /// <summary>The message is here; its answer is not yet given.</summary>
    Message,
}

/// <summary>What a check says at one stage. Orders for the message (hold, discard, redirect, a field) it leaves in <see cref="CheckContext.Orders"/>.</summary>
public abstract record Verdict
{
    private Verdict() { }

    /// <summary>Nothing against it; ask the next check.</summary>
    public static Verdict Continue { get; } = new Pass();

    /// <summary>Nothing against it, and this check need not be asked again: for this message, or after connect and helo for this session. The other checks still are.</summary>
    public static Verdict Accept { get; } = new Done();

    /// <summary>As <see cref="Continue"/>.</summary>
    public sealed record Pass : Verdict;

    /// <summary>As <see cref="Accept"/>.</summary>
    public sealed record Done : Verdict;

    /// <summary>Against it, with this 4xx or 5xx reply; no other check is asked. A 421 ends the session.</summary>
    public sealed record Refuse(SmtpReply Reply) : Verdict;
}
