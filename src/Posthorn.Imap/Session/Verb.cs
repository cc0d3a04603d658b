using System.Text;
using Posthorn.Core;
using Posthorn.Imap.Commands;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Session;

/// <summary>The states of a session (RFC 9051 section 3).</summary>
[Flags]
internal enum States
{
    NotAuthenticated = 1,
    Authenticated = 2,
    Selected = 4,
    LoggedIn = Authenticated | Selected,
    Any = NotAuthenticated | LoggedIn,
}

/// <summary>What the session must know about a verb beside its states.</summary>
[Flags]
internal enum VerbTraits
{
    None = 0,

    /// <summary>Its answers are numbered by sequence: no EXPUNGE may be told before it ends (RFC 9051 section 7.5.1).</summary>
    HoldsExpunges = 1,

    /// <summary>Its last literals are messages and are streamed.</summary>
    TakesMessages = 2,

    /// <summary>The mailbox must be open for writing.</summary>
    Writes = 4,

    /// <summary>Its meaning hangs on the time.</summary>
    UsesClock = 8,

    /// <summary>It speaks of messages by sequence numbers.</summary>
    UsesNumbers = 16,

    /// <summary>Its literals are values of annotations, which have a bound of their own.</summary>
    TakesAnnotations = 32,
}

/// <summary>A parsed command: owns its data.</summary>
internal interface IImapCommand
{
    ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel);
}

/// <summary>A command that tells or changes what is in the selected mailbox.</summary>
internal interface IReadsMailbox;

/// <summary>A command that makes, removes, renames or subscribes mailboxes.</summary>
internal interface IChangesNames
{
    /// <summary>Of these, and of what lies below them.</summary>
    IReadOnlyList<MailboxName> Names { get; }
}

/// <summary>A command with its grammar; the compiler checks its shape.</summary>
internal interface IImapCommand<TSelf> : IImapCommand where TSelf : IImapCommand<TSelf>
{
    /// <summary>Reads the arguments, from behind the verb on.</summary>
    static abstract TSelf Parse(ref ImapReader args);
}

/// <summary>One row of the verb table.</summary>
internal sealed class Verb
{
    /// <summary>All commands. The newcomer's index: each is a file of its own in <c>Commands</c>.</summary>
    public static IReadOnlyList<Verb> Table { get; } =
    [
        For<Capability>("CAPABILITY", States.Any),
        For<Noop>("NOOP", States.Any),
        For<Logout>("LOGOUT", States.Any),
        For<Id>("ID", States.Any),
        For<StartTls>("STARTTLS", States.NotAuthenticated),
        For<Authenticate>("AUTHENTICATE", States.NotAuthenticated),
        For<Login>("LOGIN", States.NotAuthenticated),
        For<Enable>("ENABLE", States.LoggedIn),
        For<Select>("SELECT", States.LoggedIn),
        For<Examine>("EXAMINE", States.LoggedIn),
        For<Create>("CREATE", States.LoggedIn),
        For<Delete>("DELETE", States.LoggedIn),
        For<Rename>("RENAME", States.LoggedIn),
        For<Subscribe>("SUBSCRIBE", States.LoggedIn),
        For<Unsubscribe>("UNSUBSCRIBE", States.LoggedIn),
        For<List>("LIST", States.LoggedIn),
        For<Lsub>("LSUB", States.LoggedIn),
        For<NamespaceCommand>("NAMESPACE", States.LoggedIn),
        For<Status>("STATUS", States.LoggedIn),
        For<Append>("APPEND", States.LoggedIn, VerbTraits.TakesMessages),
        For<Idle>("IDLE", States.LoggedIn),
        For<Check>("CHECK", States.Selected),
        For<Close>("CLOSE", States.Selected),
        For<Unselect>("UNSELECT", States.Selected),
        For<Expunge>("EXPUNGE", States.Selected, VerbTraits.Writes),
        For<UidExpunge>("UID EXPUNGE", States.Selected, VerbTraits.Writes),
        For<Search>("SEARCH", States.Selected, VerbTraits.UsesNumbers | VerbTraits.HoldsExpunges | VerbTraits.UsesClock),
        For<Search>("UID SEARCH", States.Selected, VerbTraits.UsesClock),
        For<Sort>("SORT", States.Selected, VerbTraits.UsesNumbers | VerbTraits.HoldsExpunges | VerbTraits.UsesClock),
        For<Sort>("UID SORT", States.Selected, VerbTraits.UsesClock),
        For<ThreadCommand>("THREAD", States.Selected, VerbTraits.UsesNumbers | VerbTraits.HoldsExpunges | VerbTraits.UsesClock),
        For<ThreadCommand>("UID THREAD", States.Selected, VerbTraits.UsesClock),
        For<MultiSearch>("ESEARCH", States.LoggedIn, VerbTraits.UsesClock),
        For<MultiSearch>("UID ESEARCH", States.LoggedIn, VerbTraits.UsesClock),
        For<CancelUpdate>("CANCELUPDATE", States.Selected),
        For<Fetch>("FETCH", States.Selected, VerbTraits.UsesNumbers | VerbTraits.HoldsExpunges),
        For<Fetch>("UID FETCH", States.Selected),
        For<StoreCommand>("STORE", States.Selected, VerbTraits.UsesNumbers | VerbTraits.HoldsExpunges | VerbTraits.Writes),
        For<StoreCommand>("UID STORE", States.Selected, VerbTraits.Writes),
        For<Copy>("COPY", States.Selected, VerbTraits.UsesNumbers),
        For<Copy>("UID COPY", States.Selected),
        For<Move>("MOVE", States.Selected, VerbTraits.UsesNumbers | VerbTraits.Writes),
        For<Move>("UID MOVE", States.Selected, VerbTraits.Writes),
        For<Replace>("REPLACE", States.Selected, VerbTraits.UsesNumbers | VerbTraits.Writes | VerbTraits.TakesMessages),
        For<Replace>("UID REPLACE", States.Selected, VerbTraits.Writes | VerbTraits.TakesMessages),
        For<GetQuota>("GETQUOTA", States.LoggedIn),
        For<GetQuotaRoot>("GETQUOTAROOT", States.LoggedIn),
        For<SetQuota>("SETQUOTA", States.LoggedIn),
        For<SetAcl>("SETACL", States.LoggedIn),
        For<DeleteAcl>("DELETEACL", States.LoggedIn),
        For<GetAcl>("GETACL", States.LoggedIn),
        For<ListRights>("LISTRIGHTS", States.LoggedIn),
        For<MyRights>("MYRIGHTS", States.LoggedIn),
        For<GetMetadata>("GETMETADATA", States.LoggedIn),
        For<SetMetadata>("SETMETADATA", States.LoggedIn, VerbTraits.TakesAnnotations),
        For<Notify>("NOTIFY", States.LoggedIn),
        For<Compress>("COMPRESS", States.LoggedIn),
        For<Unauthenticate>("UNAUTHENTICATE", States.LoggedIn),
    ];

    private static readonly Dictionary<string, Verb> ByName = Table.ToDictionary(verb => verb.Name, StringComparer.Ordinal);
    private static readonly Dictionary<string, Verb>.AlternateLookup<ReadOnlySpan<char>> Lookup = ByName.GetAlternateLookup<ReadOnlySpan<char>>();

    private readonly ParseCommand _parse;

    private Verb(string name, States states, VerbTraits traits, ParseCommand parse)
    {
        (Name, States, Traits, _parse) = (name, states, traits, parse);
        By = name.StartsWith("UID ", StringComparison.Ordinal) ? Numbering.Uid : Numbering.Sequence;
    }

    private delegate IImapCommand ParseCommand(ref ImapReader args);

    public string Name { get; }
    public States States { get; }
    public VerbTraits Traits { get; }
    public Numbering By { get; }

    public bool Has(VerbTraits trait) => (Traits & trait) != 0;

    public IImapCommand Parse(ref ImapReader args) => _parse(ref args);

    /// <summary>Finds a verb in any case; <c>UID</c> verbs by both words.</summary>
    public static Verb? Find(ReadOnlySpan<byte> name)
    {
        Span<char> upper = stackalloc char[24];
        if (name.Length > upper.Length || Ascii.ToUpper(name, upper, out int length) != System.Buffers.OperationStatus.Done) return null;
        return Lookup.TryGetValue(upper[..length], out Verb? verb) ? verb : null;
    }

    /// <summary>Takes a command's text apart: tag, verb (null if unknown), and what follows the verb.</summary>
    public static Verb? Split(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> tag, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> arguments)
    {
        tag = Word(text, out ReadOnlySpan<byte> rest);
        name = Word(rest is [(byte)' ', ..] ? rest[1..] : default, out arguments);
        if (!Ascii.EqualsIgnoreCase(name, "UID"u8) || arguments.IsEmpty) return Find(name);
        ReadOnlySpan<byte> second = Word(arguments[1..], out arguments);
        name = rest.Slice(1, name.Length + 1 + second.Length);
        return Find(name);
    }

    private static ReadOnlySpan<byte> Word(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> rest)
    {
        int space = text.IndexOf((byte)' ');
        rest = space < 0 ? default : text[space..];
        return space < 0 ? text : text[..space];
    }

    private static Verb For<T>(string name, States states, VerbTraits traits = VerbTraits.None) where T : class, IImapCommand<T> =>
        new(name, states, traits, static (ref ImapReader args) => T.Parse(ref args));
}
