namespace Posthorn.DovecotAuth;

/// <summary>What an authentication client may ask of the server. A reload swaps the whole object; open connections keep theirs.</summary>
public sealed record AuthOptions
{
    /// <summary>Octets of a line. Dovecot takes 8,192; this has room for the longest SASL response that SMTP lets pass (RFC 4954 section 4: 12,288).</summary>
    public int MaxLine { get; init; } = 16 * 1024;

    /// <summary>Authentications begun and not ended on one connection, refusals that are yet to be told among them. A mail server has one for each of its own clients, most for a moment only.</summary>
    public int MaxPending { get; init; } = 256;

    /// <summary>Wait before a refusal is told, as in Dovecot (<c>auth_failure_delay</c>). Guessing gets slow; how often one address may guess at all, the directory says.</summary>
    public TimeSpan FailedLoginDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a client may take nothing of what is sent to it.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromMinutes(1);
}
