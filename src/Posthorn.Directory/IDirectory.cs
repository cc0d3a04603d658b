using Posthorn.Core;

namespace Posthorn.Directory;

/// <summary>Who has mail here: domains, accounts, aliases and passwords. Every answer comes from one immutable snapshot.</summary>
public interface IDirectory
{
    /// <summary>The domain of bare names.</summary>
    DomainName DefaultDomain { get; }

    /// <summary>All accounts, in the order of the files.</summary>
    IReadOnlyCollection<MailAccount> Accounts { get; }

    /// <summary>Checks a login and password. Refuses clear-text passwords from untrusted networks without TLS.</summary>
    ValueTask<AuthOutcome> AuthenticateAsync(LoginRequest request, CancellationToken cancel);

    /// <summary>The keys for a SCRAM login; for unknown names made-up ones, whose proof never counts (RFC 5802 section 5).</summary>
    ScramLookup FindScramKeys(ScramRequest request);

    /// <summary>What is said to a client from whose address so many logins have failed that no more is looked at; null to go on.</summary>
    AuthOutcome.Temporary? ShutOut(LoginContext context) => null;

    /// <summary>A login whose end is seen elsewhere, by SCRAM or in nonsense, has ended like this; what the client is told.</summary>
    AuthOutcome ScramEnded(LoginContext context, string login, AuthOutcome outcome) => outcome;

    /// <summary>The SASL mechanisms to announce to this client now, in order of preference.</summary>
    IReadOnlyList<string> MechanismsFor(LoginContext context);

    /// <summary>True when this client may send a password now (for IMAP's LOGINDISABLED and the like): under TLS or from a trusted network.</summary>
    bool MayUsePasswords(LoginContext context);

    /// <summary>True when we are the final destination for this domain.</summary>
    bool IsLocalDomain(DomainName domain);

    /// <summary>Whom mail for this recipient goes to, with aliases expanded.</summary>
    Resolution Resolve(EmailAddress recipient);

    /// <summary>The account whose own address this is, with or without a detail; aliases do not count.</summary>
    MailAccount? FindAccount(EmailAddress address);

    /// <summary>What a login of this account rests on: it is another when the password is another or the account is gone. Sessions that were let in on an older one must end.</summary>
    int Standing(MailAccount account) => 0;

    /// <summary>A question to ask later: whether a login of this account that is let in now still holds.</summary>
    Func<bool> WhetherHolds(MailAccount account)
    {
        int standing = Standing(account);
        return () => Standing(account) == standing;
    }

    /// <summary>The account that a login name means, whatever its spelling; null when there is none or several.</summary>
    MailAccount? FindLogin(string login);

    /// <summary>True when the account may use this envelope sender: the null path, its own address with or without detail, or an alias that leads to it (alone, where shared aliases are switched off).</summary>
    bool MaySendAs(MailAccount account, ReversePath from);

    /// <summary>The detail of an address in a hosted domain (<c>lists</c> in <c>ann+lists@example.org</c>), or null (RFC 5233 section 4).</summary>
    string? Detail(EmailAddress address);

    /// <summary>The detail that tables may leave out: as <see cref="Detail"/>, and in other domains what stands behind the delimiter of the default domain.</summary>
    string? DetailInTables(EmailAddress address) => Detail(address);
}
