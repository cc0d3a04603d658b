using System.Net;
using Posthorn.Core;
using Posthorn.Net;

namespace Posthorn.Directory;

/// <summary>Everything the directory is told by the configuration. Immutable; a reload brings a new one.</summary>
public sealed record DirectoryOptions
{
    /// <summary>The domains whose mail is ours. The first is the default domain unless one is named.</summary>
    public required IReadOnlyList<DomainOptions> Domains { get; init; }

    /// <summary>Where an account's scripts lie (Dovecot's <c>mail_home</c>). Placeholders: <see cref="MailTemplate"/>.</summary>
    public required string MailHomeTemplate { get; init; }

    /// <summary>Where an account's mail lies (Dovecot's <c>mail_location</c>): <c>maildir:/srv/mail/{domain}/{localpart}</c>.</summary>
    public required string MailLocationTemplate { get; init; }

    /// <summary>The domain of bare names: keys of the passwd-file, targets of aliases. Where it is named, a bare login that fits several accounts means the one in it.</summary>
    public DomainName? DefaultDomain { get; init; }

    /// <summary>A passwd-file for all domains, in Dovecot's format.</summary>
    public string? PasswdFile { get; init; }

    /// <summary>Alias files for all domains, as in <see cref="DomainOptions.Aliases"/>; a bare name in them stands for that name in the default domain.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Who receives the mail for postmaster and abuse where nothing else says so (RFC 5321 section 4.5.1). Else the first account does.</summary>
    public EmailAddress? Postmaster { get; init; }

    /// <summary>SASL mechanisms to offer, in this order.</summary>
    public IReadOnlyList<string> Mechanisms { get; init; } = ["SCRAM-SHA-256", "PLAIN", "LOGIN"];

    /// <summary>Networks from which passwords are taken without TLS.</summary>
    public IReadOnlyList<IPNetwork> AuthTrustedNetworks { get; init; } = [];

    /// <summary>Failed logins of one address over all protocols; then its passwords are not even looked at until its time has passed. A login that succeeds forgives the failures of its own account,
    /// so that who mistypes is not locked out, and guesses at others stay counted. 60 in ten minutes: three programs that try every half minute. Networks of <see cref="AuthTrustedNetworks"/> are not counted.</summary>
    public RateLimit FailureRate { get; init; } = new(60, TimeSpan.FromMinutes(10));

    /// <summary>Who is one of several accounts behind an alias may send under it: a team answers as the team. Off, only who has an alias for himself alone may.</summary>
    public bool SharedAliases { get; init; } = true;

    /// <summary>
    /// The file with the secret from which SCRAM salts for names without stored keys are made; it is made when it is missing, for its owner alone. Without one they change at each start, which tells
    /// that nobody has stored keys for a name.
    /// </summary>
    public string? SecretFile { get; init; }

    /// <summary>What the directory takes at most.</summary>
    public DirectoryLimits Limits { get; init; } = new();
}

/// <summary>One hosted domain.</summary>
public sealed record DomainOptions
{
    public required DomainName Name { get; init; }

    /// <summary>The characters that part a name from its detail, as Postfix's <c>recipient_delimiter</c>: any one of them does. Empty for none.</summary>
    public string RecipientDelimiter { get; init; } = "+";

    /// <summary>Alias files in the text format of Postfix's virtual(5); with <c>aliases:</c>, <c>regexp:</c> or <c>pcre:</c> before the path, in that format. A bare name in them stands for that name in this domain.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>A passwd-file whose bare names belong to this domain.</summary>
    public string? PasswdFile { get; init; }
}

/// <summary>The limits of the directory.</summary>
public sealed record DirectoryLimits
{
    /// <summary>Addresses that one recipient may become: Postfix's <c>virtual_alias_expansion_limit</c>.</summary>
    public int MaxExpansion { get; init; } = 1000;

    /// <summary>How deep aliases may name aliases. Postfix says 1000; nobody means more than a few, and a stack should not be that deep.</summary>
    public int MaxAliasDepth { get; init; } = 100;

    /// <summary>The longest password, octets. Hashing must not become a way to keep the server busy; no person types this many.</summary>
    public int MaxPasswordOctets { get; init; } = 1024;

    /// <summary>The longest login name, characters: the longest address and some room for a <c>DOMAIN\</c> before it.</summary>
    public int MaxLoginLength { get; init; } = 600;

    /// <summary>Argon2 computations at once; each takes 19 MiB with our own parameters, and more with those of others.</summary>
    public int Argon2AtOnce { get; init; } = 2;

    /// <summary>Logins that may wait for an Argon2 computation: at 0.2 s each (measured on two laden cores) and two at once, some six seconds' worth, which mail programs bear.</summary>
    public int Argon2Waiting { get; init; } = 64;

    /// <summary>Other slow hashes (crypt, PBKDF2) at once: as many as there are processors.</summary>
    public int SlowHashesAtOnce { get; init; } = Math.Max(1, Environment.ProcessorCount);

    /// <summary>Logins that may wait for another slow hash; SHA512-CRYPT takes 1.3 ms, bcrypt as long as its cost says.</summary>
    public int SlowHashesWaiting { get; init; } = 256;

    /// <summary>Recent successes remembered, 72 octets or so each.</summary>
    public int CacheEntries { get; init; } = 10_000;

    /// <summary>Accounts whose SCRAM keys, computed from a stored password, are remembered; some 300 octets each.</summary>
    public int ScramKeysKept { get; init; } = 10_000;

    /// <summary>How long a success is remembered: longer than a mail program's polling interval.</summary>
    public TimeSpan CacheLifetime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Files that aliases may include. A thousand lists are more than any file of aliases names by intent.</summary>
    public int MaxIncludes { get; init; } = 1000;

    /// <summary>How often, at most, files are looked at for changes.</summary>
    public TimeSpan FileCheckInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The largest passwd-file or alias file, octets: some 200,000 accounts. More belongs in a database.</summary>
    public long MaxFileOctets { get; init; } = 32L << 20;
}
