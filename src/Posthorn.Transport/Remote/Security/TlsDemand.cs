using Posthorn.Trust.Dane;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Transport.Remote.Security;

/// <summary>How much a message asks of the way (RFC 8689).</summary>
internal enum TlsWish
{
    /// <summary>It should arrive whatever becomes of TLS (<c>TLS-Required: No</c>).</summary>
    Optional,
    Normal,
    /// <summary>REQUIRETLS: to servers that are known for sure, and that promise the same.</summary>
    Required,
}

/// <summary>What a connection to one host must have before mail goes over it.</summary>
internal sealed record TlsDemand(OutboundTls Level)
{
    /// <summary>The name that the server is asked to show a certificate for (SNI).</summary>
    public required string ServerName { get; init; }

    /// <summary>The names of which one must stand in the certificate.</summary>
    public required IReadOnlyList<string> Names { get; init; }
    public IReadOnlyList<TlsaRecord> Records { get; init; } = [];
    public IReadOnlyList<string> Fingerprints { get; init; } = [];
    public bool OnlyTls13 { get; init; }

    /// <summary>An MTA-STS policy in testing: it is looked at, and not enforced.</summary>
    public bool IsTesting { get; init; }

    /// <summary>The server must offer REQUIRETLS.</summary>
    public bool MustPromise { get; init; }

    /// <summary>The policy under which the session is counted; null when it is not.</summary>
    public AppliedPolicy? Policy { get; init; }

    /// <summary>What was wrong with the policy itself, to be counted with the session; null when nothing.</summary>
    public TlsTrouble? PolicyTrouble { get; init; }

    /// <summary>Clear text will do.</summary>
    public bool AllowsClearText => Level is OutboundTls.None or OutboundTls.May && !MustPromise;

    /// <summary>Who the server is gets checked.</summary>
    public bool IsVerified => Level is OutboundTls.Verify or OutboundTls.Fingerprint or OutboundTls.Dane;
}

/// <summary>What went wrong, as a report says it (RFC 8460 section 4.3).</summary>
internal sealed record TlsTrouble(string ResultType, string Reason);
