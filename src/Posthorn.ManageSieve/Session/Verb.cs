using Posthorn.ManageSieve.Commands;
using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Session;

/// <summary>The states of a session (RFC 5804 section 2).</summary>
[Flags]
internal enum States
{
    None = 0,
    NotAuthenticated = 1,
    Authenticated = 2,
    Any = NotAuthenticated | Authenticated,
}

/// <summary>A verb: when it is legal, and how its arguments are read.</summary>
internal sealed class Verb
{
    /// <summary>All verbs (RFC 5804 section 4).</summary>
    public static IReadOnlyList<Verb> Table { get; } =
    [
        For<Capability>("CAPABILITY", States.Any),
        For<Logout>("LOGOUT", States.Any),
        For<Noop>("NOOP", States.Any),
        For<Authenticate>("AUTHENTICATE", States.NotAuthenticated),
        For<StartTls>("STARTTLS", States.NotAuthenticated),
        For<HaveSpace>("HAVESPACE", States.Authenticated),
        For<PutScript>("PUTSCRIPT", States.Authenticated),
        For<ListScripts>("LISTSCRIPTS", States.Authenticated),
        For<SetActive>("SETACTIVE", States.Authenticated),
        For<GetScript>("GETSCRIPT", States.Authenticated),
        For<DeleteScript>("DELETESCRIPT", States.Authenticated),
        For<RenameScript>("RENAMESCRIPT", States.Authenticated),
        For<CheckScript>("CHECKSCRIPT", States.Authenticated),
        For<Unauthenticate>("UNAUTHENTICATE", States.Authenticated),
    ];

    private readonly ParseCommand _parse;

    private Verb(string name, States states, ParseCommand parse) => (Name, States, _parse) = (name, states, parse);

    private delegate IManageSieveCommand ParseCommand(ref ArgumentReader args);

    public string Name { get; }

    public States States { get; }

    public IManageSieveCommand Parse(ref ArgumentReader args) => _parse(ref args);

    /// <summary>Takes a command's text apart: its verb in any case (null if unknown), and what follows.</summary>
    public static Verb? Split(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> arguments)
    {
        int end = text.IndexOfAny((byte)' ', (byte)'\r');
        ReadOnlySpan<byte> name = end < 0 ? text : text[..end];
        arguments = end < 0 ? default : text[end..];
        foreach (Verb verb in Table)
            if (System.Text.Ascii.EqualsIgnoreCase(name, verb.Name)) return verb;
        return null;
    }

    private static Verb For<T>(string name, States states) where T : class, IManageSieveCommand<T> => new(name, states, static (ref ArgumentReader args) => T.Parse(ref args));
}
