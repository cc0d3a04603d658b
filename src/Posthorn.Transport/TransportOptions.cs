using System.Net;
using Posthorn.Core;
using Posthorn.Transport.Rewriting;

namespace Posthorn.Transport;

/// <summary>What the transport is told by the configuration. Immutable; a reload brings a new one.</summary>
public sealed record TransportOptions
{
    /// <summary>Our name in Received lines, EHLO and reports.</summary>
    public required string Hostname { get; init; }

    /// <summary>Where we can be reached by SMTP: mail that would go there would come back to us (RFC 5321 section 5.1). Their addresses are ours in address literals too.</summary>
    public IReadOnlyList<IPEndPoint> OwnEndPoints { get; init; } = [];

    /// <summary>The longest message, octets as received. 50 MB: what the large providers take, and what users now expect.</summary>
    public long MaxMessageSize { get; init; } = 50_000_000;

    /// <summary>The longest header, octets. 1 MiB: ten times the largest honest one; every reader of the message has to parse it (RFC 5321 sets no limit).</summary>
    public int MaxHeaderSize { get; init; } = 1 << 20;

    /// <summary>The most Received lines before a message counts as looping. 100: what RFC 5321 section 6.3 asks for; real paths stay below 20.</summary>
    public int MaxReceived { get; init; } = 100;

    /// <summary>Leave the client's name and address out of the Received line of submitted mail: where our users sit is nobody's business (RFC 6409 section 8 lets us rewrite).</summary>
    public bool HideSubmissionClient { get; init; } = true;

    /// <summary>Tables, by their names, of addresses and the logins that may send under them beside those that the directory knows (Postfix's smtpd_sender_login_maps).</summary>
    public IReadOnlyList<string> SenderLogins { get; init; } = [];

    /// <summary>Make mail from trusted networks whole as on submission: Date, Message-ID and From where they are missing, and no Bcc, Return-Path or Content-Length (RFC 5321 section 4.4). On: programs of one's own hosts write such mail, and Postfix does the same.</summary>
    public bool CompletesTrusted { get; init; } = true;

    /// <summary>Refuse mail from other servers that has several From fields: one is checked, another shown.</summary>
    public bool RefuseSeveralFrom { get; init; } = true;

    /// <summary>File mail for <c>ann+lists@…</c> in the mailbox <c>lists</c> where it exists.</summary>
    public bool DetailToFolder { get; init; }

    /// <summary>Answer a full mailbox with 552 5.2.2 at once; else with 452 4.2.2, so that the sender tries again for some days. Our own users always get 552.</summary>
    public bool QuotaIsPermanent { get; init; }

    /// <summary>How senders of mail that is sent on are rewritten; null leaves them.</summary>
    public SenderRewritingOptions? SenderRewriting { get; init; }

    /// <summary>How addresses are rewritten, and who gets copies.</summary>
    public RewritingOptions Rewriting { get; init; } = new();

    /// <summary>How the queue works.</summary>
    public QueueOptions Queue { get; init; } = new();

    /// <summary>How mail leaves.</summary>
    public OutboundOptions Outbound { get; init; } = new();
}

/// <summary>How senders are rewritten when our aliases and scripts send mail on (SRS).</summary>
/// <param name="Secret">What only we know; addresses made with another one are not ours.</param>
/// <param name="Domain">The hosted domain under which they stand.</param>
public sealed record SenderRewritingOptions(ReadOnlyMemory<byte> Secret, DomainName Domain)
{
    /// <summary>How long bounces find the way back, days. 21 as others do: longer than any queue keeps mail.</summary>
    public int MaxAgeDays { get; init; } = 21;

    /// <summary>Never shows the secret.</summary>
    public override string ToString() => Domain.ToString();
}
