namespace Posthorn.Imap;

/// <summary>Every limit of the IMAP server. Immutable; a reload brings a new one for new sessions.</summary>
public sealed record ImapOptions
{
    /// <summary>The name in the greeting.</summary>
    public required string HostName { get; init; }

    /// <summary>The longest line of a command, octets. RFC 7162 section 4 asks for 8,192; synchronising clients send UID sets of tens of thousands, and Dovecot takes 64 KiB.</summary>
    public int MaxLine { get; init; } = 64 * 1024;

    /// <summary>The longest command with its joined literals, octets: several long lines of a search.</summary>
    public int MaxCommand { get; init; } = 256 * 1024;

    /// <summary>The same before login, where anybody may make us hold memory. A login with tokens fits.</summary>
    public int MaxCommandBeforeLogin { get; init; } = 16 * 1024;

    /// <summary>The largest message that APPEND takes, octets (RFC 7889). Above what other servers will carry on, so that no draft is refused.</summary>
    public long MaxMessage { get; init; } = 100L * 1024 * 1024;

    /// <summary>The largest refused literal without synchronisation that is read and thrown away; above it closing is cheaper for both. Of a message it is <see cref="MaxMessage"/> once somebody is logged in.</summary>
    public long MaxSkippedLiteral { get; init; } = 1024 * 1024;

    /// <summary>Octets of all messages of one APPEND together (RFC 3502): they become one record of the journal. Ten of the largest; more come with the next command.</summary>
    public long MaxAppendedOctets { get; init; } = AppendedOctets;

    /// <summary>What <see cref="MaxAppendedOctets"/> is where no larger message may come.</summary>
    public const long AppendedOctets = 1024L * 1024 * 1024;

    /// <summary>Messages of one APPEND (RFC 3502): all are held until the last has come.</summary>
    public int MaxAppendedMessages { get; init; } = 1000;

    /// <summary>Parentheses, NOT and OR inside each other in one SEARCH. People nest three deep.</summary>
    public int MaxSearchDepth { get; init; } = 50;

    /// <summary>Keys of one SEARCH. Rules made by programs (one OR for each correspondent) reach hundreds.</summary>
    public int MaxSearchKeys { get; init; } = 2000;

    /// <summary>Items of one FETCH, each perhaps a section to be read. Clients ask for tens.</summary>
    public int MaxFetchItems { get; init; } = 200;

    /// <summary>Header names of one BODY[HEADER.FIELDS]. Clients ask for about thirty.</summary>
    public int MaxHeaderNames { get; init; } = 200;

    /// <summary>Patterns of one extended LIST (RFC 5258).</summary>
    public int MaxListPatterns { get; init; } = 100;

    /// <summary>The longest value of an annotation, octets (RFC 5464 section 4.1 asks for 1,024 at least): scripts and pictures of senders fit.</summary>
    public int MaxAnnotation { get; init; } = 64 * 1024;

    /// <summary>Annotations of one mailbox, everybody's together. Clients keep a few for each.</summary>
    public int MaxAnnotations { get; init; } = 200;

    /// <summary>Entries of one access control list (RFC 4314).</summary>
    public int MaxAclEntries { get; init; } = 500;

    /// <summary>Searches of one session whose changes are told (RFC 5267): each is done again when the mailbox changes.</summary>
    public int MaxContexts { get; init; } = 8;

    /// <summary>Where mailboxes of others are found.</summary>
    public Posthorn.Store.Sharing.SharingOptions Sharing { get; init; } = new();

    /// <summary>Who may set limits of accounts (SETQUOTA, RFC 9208 section 4.1.3).</summary>
    public IReadOnlyList<Posthorn.Core.EmailAddress> Administrators { get; init; } = [];

    /// <summary>Commands that a session may send in a second, after a burst of twice as many; more are answered later. 0 is no bound. Programs on the same machine reach some thousands.</summary>
    public int CommandsPerSecond { get; init; } = 10_000;

    /// <summary>How often a client hears how far a long command has come (RFC 9585).</summary>
    public TimeSpan Progress { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Clients may log out and in again on one connection (UNAUTHENTICATE). Behind a proxy that checks logins itself and then passes everything on it must be off (RFC 8437 section 8).</summary>
    public bool Unauthenticate { get; init; } = true;

    /// <summary>Messages that one command works on (RFC 9738); null for no bound.</summary>
    public int? MessageLimit { get; init; }

    /// <summary>How to reach the administrator, a URI: the server's annotation <c>/shared/admin</c> (RFC 5464 section 6.2.2).</summary>
    public string? MetadataAdmin { get; init; }

    /// <summary>A word about the server for its users: the annotation <c>/shared/comment</c>.</summary>
    public string? MetadataComment { get; init; }

    /// <summary>The ManageSieve server for scripts of IMAP events (RFC 6785 section 2.1), a <c>sieve:</c> URL; null where users bind none.</summary>
    public string? SieveServer { get; init; }

    /// <summary>The script for events in all mailboxes that name none: the server's annotation <c>/shared/imapsieve/script</c> (RFC 6785 section 2.3.1).</summary>
    public string? EventScript { get; init; }

    /// <summary>Keywords of one STORE or APPEND.</summary>
    public int MaxKeywords { get; init; } = 100;

    /// <summary>Wildcards of one LIST pattern: matching costs their product with the name's length.</summary>
    public int MaxWildcards { get; init; } = 20;

    /// <summary>Commands in a row that were not understood before the connection is closed: a person typing makes fewer, a program of another protocol more.</summary>
    public int MaxBadCommands { get; init; } = 20;

    /// <summary>Wrong logins on one connection before it is closed.</summary>
    public int MaxFailedLogins { get; init; } = 4;

    /// <summary>How long the first wrong login waits for its answer; each further one twice as long.</summary>
    public TimeSpan FailedLoginDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Connections of one account. Thunderbird opens five for each computer, phones more (trap 34).</summary>
    public int MaxConnectionsPerAccount { get; init; } = 100;

    /// <summary>How long a connection may stay without login, whatever it sends meanwhile.</summary>
    public TimeSpan LoginTimeout { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>How long a logged-in session may stay silent: at least 30 minutes (RFC 9051 section 5.4).</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long a client may leave output unread before it is cut off. Slow lines take 48 KiB in far less.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>How often an idle client hears from us, so that no NAT forgets the connection (trap 33).</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromMinutes(2);
}
