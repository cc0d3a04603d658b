using System.Net;
using Posthorn.Core;

namespace Posthorn.Directory;

/// <summary>Where a login comes from.</summary>
/// <param name="RemoteAddress">The client's address; null for a Unix socket.</param>
/// <param name="IsSecure">True under TLS, and on a socket that only this machine can reach.</param>
/// <param name="Protocol">The protocol's name for the log: <c>imap</c>, <c>submission</c>.</param>
public sealed record LoginContext(IPAddress? RemoteAddress, bool IsSecure, string Protocol);

/// <summary>A name and password to check.</summary>
/// <param name="Login">The name as the client spelt it.</param>
/// <param name="Password">The password's octets as the client sent them.</param>
/// <param name="Context">Where it comes from.</param>
public sealed record LoginRequest(string Login, ReadOnlyMemory<byte> Password, LoginContext Context)
{
    /// <summary>The SASL authorization identity: empty, or another spelling of the same account.</summary>
    public string AuthorizeAs { get; init; } = "";

    public override string ToString() => $"login of {Login} by {Context.Protocol}";
}

/// <summary>What came of a login.</summary>
public abstract record AuthOutcome
{
    private AuthOutcome() { }

    /// <summary>The password is right.</summary>
    public sealed record Success(MailAccount Account, PasswordForm Form) : AuthOutcome;

    /// <summary>No entry. The kind is for the log; clients are told the same in every case but <see cref="DenialKind.NotSecure"/>.</summary>
    public sealed record Denied(DenialKind Kind) : AuthOutcome;

    /// <summary>It could not be checked now (454 4.7.0, <c>NO [UNAVAILABLE]</c>).</summary>
    public sealed record Temporary(string Text) : AuthOutcome;
}

/// <summary>Why a login was denied.</summary>
public enum DenialKind
{
    /// <summary>No account has this name.</summary>
    UnknownUser,
    /// <summary>The password (or SCRAM proof) is wrong.</summary>
    WrongPassword,
    /// <summary>A bare name that several accounts have.</summary>
    AmbiguousName,
    /// <summary>The account's <c>allow_nets</c> does not hold the client's address.</summary>
    Network,
    /// <summary>The account has no password that could be checked, or one in an unknown scheme.</summary>
    NoUsablePassword,
    /// <summary>The authorization identity names another account.</summary>
    OtherIdentity,
    /// <summary>The name or password is empty, too long or holds a NUL.</summary>
    Malformed,
    /// <summary>A clear-text password without TLS.</summary>
    NotSecure,
}

/// <summary>Which reading of the client's octets matched the stored password.</summary>
public enum PasswordForm
{
    /// <summary>The octets as they came.</summary>
    AsSent,
    /// <summary>Prepared by the OpaqueString profile (RFC 8265 section 4.2).</summary>
    OpaqueString,
    /// <summary>Prepared by SASLprep (RFC 4013).</summary>
    SaslPrep,
    /// <summary>The characters in ISO 8859-1.</summary>
    Latin1,
    /// <summary>The octets were ISO 8859-1 and the stored password UTF-8.</summary>
    FromLatin1,
}
