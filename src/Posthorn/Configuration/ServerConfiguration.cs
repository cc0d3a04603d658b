using System.Net;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Net;
using Posthorn.Store.Engine;
using Posthorn.Transport;
using Posthorn.Transport.Rewriting;
using Posthorn.Transport.Milter;
using Posthorn.Transport.Trace;

namespace Posthorn.Configuration;

/// <summary>The whole configuration, read and checked; immutable. A reload makes another one.</summary>
public sealed record ServerConfiguration
{
    /// <summary>The main file, absolute.</summary>
    public required string File { get; init; }

    /// <summary>The server's name in banners and EHLO.</summary>
    public required DomainName Hostname { get; init; }

    /// <summary>Journal, queue, catalogues, keys; absolute.</summary>
    public required string Data { get; init; }
    public required IReadOnlyList<DomainSection> Domains { get; init; }
    public required MailSection Mail { get; init; }
    public required AuthSection Auth { get; init; }
    public required TlsSection? Tls { get; init; }
    public required IReadOnlyList<ListenEntry> Listeners { get; init; }
    public required NetworkSection Network { get; init; }
    public required DnsSection Dns { get; init; }
    public required OutboundSection Outbound { get; init; }
    public required LimitsSection Limits { get; init; }
    public required SubmissionSection Submission { get; init; }
    public SendmailSection Sendmail { get; init; } = new(null, TimeSpan.Zero);
    public required LogSection Log { get; init; }
    public required JournalSection Journal { get; init; }
    public required SieveSection Sieve { get; init; }
    public required ImapSection Imap { get; init; }

    /// <summary><c>[rewrite]</c>: what addresses become, and who gets copies.</summary>
    public RewritingOptions Rewriting { get; init; } = new();

    /// <summary>The tables that are asked for, by the names that other settings use: <c>[[lookup]]</c>, and <c>type:/path</c> written in place.</summary>
    public IReadOnlyDictionary<string, LookupSource> Lookups { get; init; } = new Dictionary<string, LookupSource>();

    /// <summary><c>[[milter]]</c>: mail filters, in order.</summary>
    public required IReadOnlyList<MilterOptions> Milters { get; init; }
    public required TraceOptions Trace { get; init; }

    /// <summary><c>[[rule]]</c>, in the order of the file.</summary>
    public required IReadOnlyList<RuleSection> Rules { get; init; }
}

/// <summary><c>[[domain]]</c>: a domain whose mail is ours.</summary>
public sealed record DomainSection(DomainName Name, string RecipientDelimiter, IReadOnlyList<string> Aliases, string? PasswdFile, EmailAddress? Postmaster)
{
    /// <summary>The server behind this one that keeps its mailboxes; null when they are here.</summary>
    public NextHop? Behind { get; init; }
}

/// <summary><c>[mail]</c>: where mail lies.</summary>
public sealed record MailSection(string Home, string Location, char Separator, bool SpecialFolders, TimeSpan KeepExpunged, bool CountExpunged, bool WordIndex, FileLineEndings LineEndings);

/// <summary><c>[auth]</c>: who may log in, and how.</summary>
public sealed record AuthSection(string? PasswdFile, IReadOnlyList<string> Mechanisms, DomainName? DefaultDomain);

/// <summary><c>[tls]</c>: the certificate chain and its key, PEM.</summary>
public sealed record TlsSection(string Certificate, string Key);

/// <summary>One entry of <c>[listen]</c>, with its place for messages.</summary>
public sealed record ListenEntry(ListenOptions Options, ConfigPlace Place);

/// <summary><c>[network]</c>: networks that may log in without TLS, and networks that may send to anybody without login.</summary>
public sealed record NetworkSection(IReadOnlyList<IPNetwork> Trusted, IReadOnlyList<IPNetwork> Relay)
{
    /// <summary>Servers that may say for which client they speak.</summary>
    public required IReadOnlyList<IPNetwork> XClient { get; init; }

    /// <summary>Filters that may say from whom they had the mail.</summary>
    public required IReadOnlyList<IPNetwork> XForward { get; init; }
}

/// <summary><c>[dns]</c>: resolvers; empty means the system's.</summary>
public sealed record DnsSection(IReadOnlyList<IPEndPoint> Servers);

/// <summary><c>[outbound]</c>: how mail leaves, and how long it is tried.</summary>
public sealed record OutboundSection(OutboundOptions Options, QueueOptions Queue);

/// <summary><c>[limits]</c>: what a peer may ask of the server.</summary>
public sealed record LimitsSection
{
    public required long MessageSize { get; init; }
    public required int TextLine { get; init; }
    public required int Recipients { get; init; }
    public required int Connections { get; init; }
    public required int ConnectionsPerAddress { get; init; }
    public required int? ConnectionsTransfer { get; init; }
    public required int? ConnectionsBeforeLogin { get; init; }
    public required TimeSpan LoginGrace { get; init; }
    public required int ConnectionsPer56 { get; init; }
    public required int ConnectionsPer48 { get; init; }
    public required int ReceivedHops { get; init; }
    public required TimeSpan ShortestDeliverBy { get; init; }
    public required int IPv6Prefix { get; init; }
    public required TimeSpan RateWindow { get; init; }
    public required int ConnectionRate { get; init; }
    public required int MessageRate { get; init; }
    public required int RecipientRate { get; init; }
    public required TimeSpan FailureWindow { get; init; }
    public required int ErrorRate { get; init; }
    public required int FailedLogins { get; init; }
    public required TimeSpan GreetingDelay { get; init; }
    public required bool ForbidEarlyTalk { get; init; }
    public required TimeSpan Tarpit { get; init; }
    public required int TarpitAfter { get; init; }

    /// <summary>So often within the window of rates.</summary>
    public RateLimit Rate(int max) => new(max, RateWindow, IPv6Prefix);

    /// <summary>So often within the window of failures.</summary>
    public RateLimit Failures(int max) => new(max, FailureWindow, IPv6Prefix);
}

/// <summary><c>[submission]</c>: leniency and privacy for our own users.</summary>
public sealed record SubmissionSection(bool HideClient, bool CompletesTrusted, bool BrokenClients, TimeSpan FutureRelease)
{
    /// <summary>Who is one of several behind an alias may send under it.</summary>
    public bool SharedAliases { get; init; } = true;

    /// <summary>Tables of addresses and the logins that may send under them.</summary>
    public IReadOnlyList<string> SenderLogins { get; init; } = [];
}

/// <summary><c>[log]</c>: what is written and how.</summary>
public sealed record LogSection(Microsoft.Extensions.Logging.LogLevel Level, bool Json, bool File);

/// <summary><c>[journal]</c>: the redo log's size on disk.</summary>
public sealed record JournalSection(long SegmentSize, int Segments);

/// <summary><c>[sendmail]</c>: what local programs' mail does while the server is down.</summary>
/// <param name="Drop">Where it is left; null for nowhere.</param>
/// <param name="Wait">How long the program waits for the server.</param>
public sealed record SendmailSection(string? Drop, TimeSpan Wait)
{
    /// <summary>Messages that the server takes out of the folder and has not yet handed in; the rest waits there. A thousand: as many as one round hands in within seconds.</summary>
    public int DropMessages { get; init; } = 1000;

    /// <summary>As above, octets: a few messages of the largest size.</summary>
    public long DropSize { get; init; } = 256 << 20;
}
