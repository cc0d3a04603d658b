using System.Collections.Frozen;
using Posthorn.Core;
using Posthorn.Directory.Aliases;
using Posthorn.Directory.Files;
using Posthorn.Directory.Passwords;

namespace Posthorn.Directory;

/// <summary>An account and the line of the passwd-file it comes from.</summary>
internal sealed record AccountEntry(MailAccount Account, PasswdEntry Line);

/// <summary>Domains, accounts and aliases at one moment. Immutable.</summary>
internal sealed class DirectorySnapshot
{
    public required DirectoryOptions Options { get; init; }
    public required DomainName DefaultDomain { get; init; }
    public required FrozenDictionary<DomainName, DomainOptions> Domains { get; init; }
    public required IReadOnlyList<MailAccount> Accounts { get; init; }
    public required FrozenDictionary<EmailAddress, AccountEntry> ByAddress { get; init; }
    public required FrozenDictionary<string, IReadOnlyList<AccountEntry>> ByUser { get; init; }
    public required AliasMap Aliases { get; init; }
    public required IReadOnlyList<DirectoryProblem> Problems { get; init; }

    /// <summary>True while a file has never been read: then nobody is unknown for certain.</summary>
    public required bool IsIncomplete { get; init; }

    /// <summary>What is computed for names that nobody has: a password of the commonest scheme.</summary>
    public required StoredPassword? Decoy { get; init; }

    /// <summary>Iterations and length of the salt that most accounts have for a hash; what is made up for names that nobody has looks like it.</summary>
    public required IReadOnlyDictionary<ScramHash, (int Iterations, int Salt)> ScramShape { get; init; }

    /// <summary>The SCRAM mechanisms that every account with a password can use. One that some cannot must not be offered: programs that pick it do not try another.</summary>
    public required IReadOnlyList<ScramHash> ScramForAll { get; init; }

    /// <summary>Splits an address of a hosted domain at the first delimiter, as Postfix does.</summary>
    public bool TrySplit(EmailAddress address, out EmailAddress plain, out string extension)
    {
        plain = address;
        extension = "";
        return Domains.TryGetValue(address.Domain, out DomainOptions? domain) && TrySplit(address, domain, out plain, out extension);
    }

    /// <summary>Splits an address of any domain, of others by the delimiter of the default domain.</summary>
    public bool TrySplitAny(EmailAddress address, out EmailAddress plain, out string extension)
    {
        plain = address;
        extension = "";
        return (Domains.GetValueOrDefault(address.Domain) ?? Domains.GetValueOrDefault(DefaultDomain)) is { } domain && TrySplit(address, domain, out plain, out extension);
    }

    private static bool TrySplit(EmailAddress address, DomainOptions domain, out EmailAddress plain, out string extension)
    {
        plain = address;
        extension = "";
        string local = address.LocalPart;
        // Names that every mail system has are never split (Postfix's split_addr).
        if (local.Equals("postmaster", StringComparison.OrdinalIgnoreCase) || local.Equals("mailer-daemon", StringComparison.OrdinalIgnoreCase)) return false;
        if (domain.RecipientDelimiter.Contains('-', StringComparison.Ordinal) &&
            (local.StartsWith("owner-", StringComparison.OrdinalIgnoreCase) || local.EndsWith("-request", StringComparison.OrdinalIgnoreCase))) return false;
        int at = local.AsSpan().IndexOfAny(domain.RecipientDelimiter);
        if (at <= 0) return false;
        extension = local[at..];
        return EmailAddress.TryCreate(local[..at], address.Domain, out plain);
    }

    /// <summary>The account whose own address this is, and the detail where one had to be left out.</summary>
    public AccountEntry? Find(EmailAddress address, out string? detail)
    {
        detail = null;
        if (ByAddress.TryGetValue(address, out AccountEntry? entry)) return entry;
        if (!TrySplit(address, out EmailAddress plain, out string extension) || !ByAddress.TryGetValue(plain, out entry)) return null;
        detail = extension.Length > 1 ? extension[1..] : null;
        return entry;
    }

    /// <summary>postmaster@, abuse@ and mailer-daemon@ of each hosted domain always lead somewhere (RFC 5321 section 4.5.1, RFC 2142, RFC 3464 section 2).</summary>
    public MailAccount? FindDuty(EmailAddress address)
    {
        if (!DutyAddresses.Contains(address.LocalPart)) return null;
        if (Options.Postmaster is { } postmaster && Find(postmaster, out _) is { } named) return named.Account;
        foreach (MailAccount account in Accounts)
            if (account.Address.Domain == address.Domain) return account;
        return Accounts.Count > 0 ? Accounts[0] : null;
    }
}
