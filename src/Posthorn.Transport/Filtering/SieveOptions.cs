using Posthorn.Sieve;
using Posthorn.Store.Scripts;

namespace Posthorn.Transport.Filtering;

/// <summary>How Sieve runs on delivery. Immutable; a reload brings a new one.</summary>
public sealed record SieveOptions
{
    /// <summary>Our name, as scripts see it.</summary>
    public required string Hostname { get; init; }

    /// <summary>Who writes notices of rejection; null for <c>postmaster</c> at the recipient's domain.</summary>
    public string? Postmaster { get; init; }

    /// <summary>The administrator's scripts that run before everybody's own, in order; absolute paths.</summary>
    public IReadOnlyList<string> Before { get; init; } = [];

    /// <summary>Those that run after it, where the message is still to be kept.</summary>
    public IReadOnlyList<string> After { get; init; } = [];

    /// <summary>What runs for accounts that have no active script of their own; null for nothing.</summary>
    public string? Default { get; init; }

    /// <summary>The directory of scripts that <c>include :global</c> finds, as <c>NAME.sieve</c>; null for none.</summary>
    public string? GlobalFolder { get; init; }

    /// <summary>The language: extensions, limits, periods.</summary>
    public SieveSettings Language { get; init; } = SieveSettings.Default;

    /// <summary>Bounds of an account's scripts.</summary>
    public ScriptLimits Scripts { get; init; } = new();

    /// <summary>The directory of programs for vnd.dovecot.pipe, filter and execute; null for none, and then scripts cannot require those extensions.</summary>
    public string? ProgramFolder { get; init; }

    /// <summary>How long a program may run. 10 seconds, as Pigeonhole: the sender waits.</summary>
    public TimeSpan ProgramTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Address space of a program, octets. 1 GiB: learning spam takes some hundred MiB.</summary>
    public long ProgramMemory { get; init; } = 1L << 30;

    /// <summary>Octets of an owner's log before it is put aside as <c>.dovecot.sieve.log.0</c> and begun anew. 64 KiB: some hundred lines, for a person to read.</summary>
    public long OwnerLogSize { get; init; } = 64 * 1024;

    /// <summary>Octets of a message that scripts can look into; of a larger one they see the header and what of the body fits. 16 MiB: what lies behind is attachments.</summary>
    public int MaxBodyInMemory { get; init; } = 16 << 20;

    /// <summary>How long one delivery waits for another to the same account that may answer the same sender or carry the same message. 5 seconds: a delivery takes milliseconds.</summary>
    public TimeSpan TurnWait { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The administrator's lists (RFC 6134): full names, and text files of one value in each line.</summary>
    public IReadOnlyDictionary<string, string> Lists { get; init; } = new Dictionary<string, string>();

    /// <summary>The server's annotations that the administrator sets, by name in lower case (RFC 5464 section 6.2, RFC 6785 section 2.3.1).</summary>
    public IReadOnlyDictionary<string, string> ServerAnnotations { get; init; } = new Dictionary<string, string>();

    /// <summary>Users may bind scripts of their own to IMAP events, by annotations of mailboxes (RFC 6785 section 2.3.1).</summary>
    public bool UserEvents { get; init; }

    /// <summary>Scripts that run on IMAP events (RFC 6785), the first that fits each event first.</summary>
    public IReadOnlyList<ImapScriptRule> ImapRules { get; init; } = [];
}

/// <summary>An administrator's script for IMAP events.</summary>
/// <param name="Script">Its path, absolute.</param>
/// <param name="Mailbox">The mailbox that the message comes into or changes in; <c>*</c> for any.</param>
/// <param name="From">For COPY and MOVE, the mailbox it comes from; <c>*</c> for any.</param>
/// <param name="Causes">COPY (MOVE is one too, RFC 6785 section 4.3), APPEND, FLAG; empty for all.</param>
public sealed record ImapScriptRule(string Script, string Mailbox, string From, IReadOnlyList<string> Causes);
