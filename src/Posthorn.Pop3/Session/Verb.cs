using System.Text;
using Posthorn.Pop3.Commands;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Session;

/// <summary>One command of the protocol: its grammar and what it does.</summary>
internal interface IPop3Command<TSelf> where TSelf : IPop3Command<TSelf>
{
    /// <summary>Reads the arguments; the result counts only when the reader has kept no error.</summary>
    static abstract TSelf Parse(ref Pop3Reader args);

    /// <summary>Runs it. The reply is the answer's only line; null when the command has written it all.</summary>
    ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel);
}

/// <summary>The states of a session (RFC 1939 section 3); UPDATE is what QUIT does.</summary>
[Flags]
internal enum States
{
    Authorization = 1,
    Transaction = 2,
    Any = Authorization | Transaction,
}

/// <summary>One row of the table: a verb's name, the states in which it is legal, and how to parse and run it.</summary>
internal sealed class Verb
{
    private delegate ValueTask<Reply?> Runner(Pop3Session session, ReadOnlySpan<byte> arguments, CancellationToken cancel);

    /// <summary>Every verb there is.</summary>
    public static readonly IReadOnlyList<Verb> Table =
    [
        For<Capa>("CAPA", States.Any),
        For<Stls>("STLS", States.Authorization),
        For<User>("USER", States.Authorization),
        For<Pass>("PASS", States.Authorization),
        For<Auth>("AUTH", States.Authorization),
        For<Utf8>("UTF8", States.Authorization),
        For<Stat>("STAT", States.Transaction),
        For<List>("LIST", States.Transaction),
        For<Uidl>("UIDL", States.Transaction),
        For<Retr>("RETR", States.Transaction),
        For<Top>("TOP", States.Transaction),
        For<Dele>("DELE", States.Transaction),
        For<Rset>("RSET", States.Transaction),
        For<Noop>("NOOP", States.Transaction),
        For<Quit>("QUIT", States.Any),
    ];

    private readonly byte[] _name;
    private readonly Runner _run;

    private Verb(string name, States states, Runner run)
    {
        (Name, States, _run) = (name, states, run);
        _name = Encoding.ASCII.GetBytes(name);
    }

    public string Name { get; }
    public States States { get; }

    /// <summary>The row of the line's first word; null when there is none.</summary>
    public static Verb? Find(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> arguments)
    {
        int end = line.IndexOf((byte)' ');
        if (end < 0) end = line.Length;
        arguments = line[end..];
        foreach (Verb verb in Table)
            if (Ascii.EqualsIgnoreCase(line[..end], verb._name)) return verb;
        return null;
    }

    /// <summary>Parses the arguments and runs the command. They are not used after this returns.</summary>
    public ValueTask<Reply?> RunAsync(Pop3Session session, ReadOnlySpan<byte> arguments, CancellationToken cancel) => _run(session, arguments, cancel);

    private static Verb For<T>(string name, States states) where T : class, IPop3Command<T> => new(name, states, (session, arguments, cancel) =>
    {
        Pop3Reader reader = new(arguments);
        T command = T.Parse(ref reader);
        return reader.Error is { } error ? new(error) : command.RunAsync(session, cancel);
    });
}
