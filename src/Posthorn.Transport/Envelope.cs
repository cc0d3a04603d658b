using System.Net;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Transport.Policy;

namespace Posthorn.Transport;

/// <summary>What a listener is for; it decides how strict the session is and who may use it.</summary>
public enum ListenerRole
{
    /// <summary>Port 25: mail from other servers. Strict syntax, no relaying without login or trust.</summary>
    Mx,
    /// <summary>Ports 587 and 465: mail from our own users' programs (RFC 6409). Login needed, forgiving syntax.</summary>
    Submission,
    /// <summary>Local delivery for another mail server (RFC 2033). One reply for each recipient.</summary>
    Lmtp,
}

/// <summary>Who speaks to us, as far as is known when a transaction starts.</summary>
public sealed record ClientContext
{
    public required SessionId Session { get; init; }
    public required ListenerRole Role { get; init; }

    /// <summary>The listener's name as in the configuration.</summary>
    public required string Listener { get; init; }

    /// <summary>Loopback for a Unix socket.</summary>
    public required IPAddress Address { get; init; }

    /// <summary>Who the client is is known: not so when a server in front of us speaks for it and does not say (<see cref="Connection.Unknown"/>).</summary>
    public bool IsAddressKnown => !Address.Equals(Connection.Unknown.Address);

    /// <summary>The client's port; 0 for a Unix socket.</summary>
    public int Port { get; init; }

    /// <summary>Our end of the connection; null when there is none.</summary>
    public EndPoint? LocalEndPoint { get; init; }

    /// <summary>What a trusted server before us calls the client; null when we have to look ourselves.</summary>
    public ClientName? Name { get; init; }

    /// <summary>The name given in EHLO, HELO or LHLO, as received.</summary>
    public required string Helo { get; init; }

    /// <summary>True after EHLO or LHLO, false after HELO.</summary>
    public required bool IsExtended { get; init; }

    public TlsDetails? Tls { get; init; }

    /// <summary>The account that has logged in.</summary>
    public MailAccount? Account { get; init; }

    /// <summary>The SASL mechanism by which it did.</summary>
    public string? Mechanism { get; init; }

    /// <summary>The address is in a network named as trusted: it may relay without login.</summary>
    public required bool IsTrusted { get; init; }

    /// <summary>From whom a filter in front of us had the mail, as it says (XFORWARD); null when it says nothing. For the trace alone.</summary>
    public ForwardedClient? Forwarded { get; init; }
}

/// <summary>A client of a filter in front of us, as the filter says.</summary>
public sealed record ForwardedClient
{
    public string? Name { get; init; }
    public IPAddress? Address { get; init; }
    public string? Helo { get; init; }

    /// <summary>The message's id there.</summary>
    public string? Ident { get; init; }
}

/// <summary>The BODY parameter of MAIL (RFC 6152, RFC 3030).</summary>
public enum BodyType
{
    SevenBit,
    EightBitMime,
    BinaryMime,
}

/// <summary>What a bounce returns (RFC 3461 section 4.3).</summary>
public enum DsnReturn
{
    /// <summary>Not said.</summary>
    Unspecified,
    Full,
    Headers,
}

/// <summary>When a recipient's sender wants a report (RFC 3461 section 4.1).</summary>
[Flags]
public enum DsnNotify
{
    /// <summary>Not said: failure and perhaps delay.</summary>
    Unspecified = 0,
    Never = 1,
    Success = 2,
    Failure = 4,
    Delay = 8,
}

/// <summary>Reckoning with NOTIFY.</summary>
internal static class DsnNotifyTraits
{
    /// <summary>What both wish to hear, where two recipients have become one (RFC 3461 section 5.2.2).</summary>
    public static DsnNotify With(this DsnNotify one, DsnNotify other)
    {
        if (one == other || other == DsnNotify.Never) return one;
        if (one == DsnNotify.Never) return other;
        return one == DsnNotify.Unspecified || other == DsnNotify.Unspecified ? one | other | DsnNotify.Failure | DsnNotify.Delay : one | other;
    }

    /// <summary>The same wishes but for success (RFC 3461 section 5.2.7.3). Who wanted to hear of nothing else wants to hear of nothing: an empty list would mean failures.</summary>
    public static DsnNotify WithoutSuccess(this DsnNotify notify) => notify == DsnNotify.Success ? DsnNotify.Never : notify & ~DsnNotify.Success;
}

/// <summary>One recipient of a transaction, as accepted in RCPT.</summary>
/// <param name="Address">The forward-path's address.</param>
/// <param name="Notify">NOTIFY.</param>
/// <param name="OriginalRecipient">ORCPT as received (<c>rfc822;…</c>), null when not given.</param>
public sealed record EnvelopeRecipient(EmailAddress Address, DsnNotify Notify, string? OriginalRecipient)
{
    /// <summary>An alias or script of ours sends the mail on to this address: it leaves under a sender of ours (SRS).</summary>
    public bool IsForwarded { get; init; }

    /// <summary>Nobody gave ORCPT: it is our own word for the address that the sender used. It goes along, but a report to the sender does not show it as theirs (RFC 3461 section 6.3).</summary>
    public bool IsOriginalOurs { get; init; }

    /// <summary>It has become several addresses, to which the message goes on: this is told where success is (RFC 3461 section 5.2.7.3).</summary>
    internal bool IsExpanded { get; init; }

    /// <summary>The same recipient at another address, which tells where it came from.</summary>
    internal EnvelopeRecipient Readdressed(EmailAddress address) => address == Address ? this : this with
    {
        Address = address, OriginalRecipient = OriginalRecipient ?? (Address.NeedsUtf8 ? $"utf-8;{Xtext.EncodeUtf8(Address.ToString())}" : $"rfc822;{Xtext.Encode(Address.ToString())}"), IsOriginalOurs = IsOriginalOurs || OriginalRecipient is null,
    };
}

/// <summary>One mail transaction (RFC 5321 section 3.3).</summary>
public sealed class Envelope
{
    /// <summary>The message's id from here to the mailbox.</summary>
    public required QueueId Id { get; init; }
    public required ClientContext Client { get; init; }
    public required ReversePath From { get; init; }
    public BodyType Body { get; init; }

    /// <summary>SMTPUTF8 was given (RFC 6531).</summary>
    public bool SmtpUtf8 { get; init; }
    public DsnReturn Return { get; init; }

    /// <summary>REQUIRETLS was given (RFC 8689).</summary>
    public bool RequiresTls { get; init; }

    /// <summary>When it may go out at the earliest (RFC 4865 HOLDFOR, HOLDUNTIL); null is at once.</summary>
    public DateTimeOffset? ReleaseAt { get; init; }

    /// <summary>The seconds of HOLDFOR, where it was said so.</summary>
    public int? HoldFor { get; init; }

    /// <summary>ENVID, decoded from xtext; null when not given.</summary>
    public string? EnvelopeId { get; init; }

    /// <summary>BY (RFC 2852): when it must have arrived; null for whenever.</summary>
    public DeliverBy? By { get; init; }

    /// <summary>SIZE as declared, octets; null when not given.</summary>
    public long? DeclaredSize { get; init; }

    public IList<EnvelopeRecipient> Recipients { get; } = [];

    /// <summary>It goes on as it is, whoever hands it in: nothing is added or taken out.</summary>
    internal bool IsWhole { get; init; }

    /// <summary>The checks that have a say on the message; null when there are none.</summary>
    internal SessionChecks? Checks { get; set; }
}
