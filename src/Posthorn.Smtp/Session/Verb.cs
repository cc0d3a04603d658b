using System.Text;
using Posthorn.Smtp.Commands;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Session;

/// <summary>One command of the protocol: its grammar and what it does.</summary>
internal interface ISmtpCommand<TSelf> where TSelf : ISmtpCommand<TSelf>
{
    /// <summary>Reads the arguments; the result counts only when the reader has kept no error.</summary>
    static abstract TSelf Parse(ref SmtpReader args);

    /// <summary>Runs it. The reply is the last one, null when all has been said; replies before it the command says itself.</summary>
    ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel);
}

/// <summary>What the session must know of a verb before it runs it.</summary>
[Flags]
internal enum VerbTraits
{
    None = 0,
    /// <summary>Not on LMTP.</summary>
    Smtp = 1,
    /// <summary>Only on LMTP.</summary>
    Lmtp = 2,
    /// <summary>503 before EHLO, HELO or LHLO.</summary>
    NeedsHello = 4,
    /// <summary>Does nothing for mail: counted against <see cref="SmtpOptions.MaxIdleCommands"/>.</summary>
    Idle = 8,
    /// <summary>The client has to wait for the reply before it goes on (RFC 2920 section 3.1).</summary>
    EndsPipeline = 16,
    /// <summary>Its line may be as long as <see cref="SmtpOptions.MaxAuthLine"/>.</summary>
    LongLine = 32,
    /// <summary>Octets of a message follow it at once: when its own line is wrong, nobody knows where the next command begins.</summary>
    CarriesData = 64,
}

/// <summary>One row of the table: a verb's name, traits, and how to parse and run it.</summary>
internal sealed class Verb
{
    private delegate ValueTask<SmtpReply?> Runner(SmtpSession session, ReadOnlySpan<byte> line, int at, CancellationToken cancel);

    /// <summary>Every verb there is.</summary>
    public static readonly IReadOnlyList<Verb> Table =
    [
        For<Ehlo>("EHLO", VerbTraits.Smtp | VerbTraits.Idle | VerbTraits.EndsPipeline),
        For<Helo>("HELO", VerbTraits.Smtp | VerbTraits.Idle | VerbTraits.EndsPipeline),
        For<Lhlo>("LHLO", VerbTraits.Lmtp | VerbTraits.Idle | VerbTraits.EndsPipeline),
        For<Mail>("MAIL", VerbTraits.NeedsHello),
        For<Rcpt>("RCPT", VerbTraits.NeedsHello),
        For<Data>("DATA", VerbTraits.NeedsHello | VerbTraits.EndsPipeline),
        For<Bdat>("BDAT", VerbTraits.CarriesData),
        For<Rset>("RSET", VerbTraits.Idle),
        For<Noop>("NOOP", VerbTraits.Idle),
        For<Quit>("QUIT", VerbTraits.EndsPipeline),
        For<Vrfy>("VRFY", VerbTraits.Idle | VerbTraits.EndsPipeline),
        For<Expn>("EXPN", VerbTraits.Idle | VerbTraits.EndsPipeline),
        For<Help>("HELP", VerbTraits.Idle),
        For<StartTls>("STARTTLS", VerbTraits.NeedsHello | VerbTraits.Idle | VerbTraits.EndsPipeline),
        For<XClient>("XCLIENT", VerbTraits.Smtp | VerbTraits.Idle | VerbTraits.EndsPipeline),
        For<XForward>("XFORWARD", VerbTraits.Smtp | VerbTraits.Idle),
        For<Auth>("AUTH", VerbTraits.NeedsHello | VerbTraits.EndsPipeline | VerbTraits.LongLine),
    ];

    private readonly byte[] _name;
    private readonly Runner _run;

    private Verb(string name, VerbTraits traits, Runner run)
    {
        (Name, Traits, _run) = (name, traits, run);
        _name = Encoding.ASCII.GetBytes(name);
    }

    public string Name { get; }
    public VerbTraits Traits { get; }

    public bool Is(VerbTraits trait) => (Traits & trait) != 0;

    /// <summary>The row of the line's first word; null when there is none.</summary>
    public static Verb? Find(ReadOnlySpan<byte> line, out int end)
    {
        end = line.IndexOf((byte)' ');
        if (end < 0) end = line.Length;
        ReadOnlySpan<byte> word = line[..end];
        foreach (Verb verb in Table)
            if (Ascii.EqualsIgnoreCase(word, verb._name)) return verb;
        return null;
    }

    /// <summary>Parses the rest of the line and runs the command. The line is not used after this returns.</summary>
    public ValueTask<SmtpReply?> RunAsync(SmtpSession session, ReadOnlySpan<byte> line, int at, CancellationToken cancel) =>
        _run(session, line, at, cancel);

    private static Verb For<T>(string name, VerbTraits traits) where T : class, ISmtpCommand<T> => new(name, traits, (session, line, at, cancel) =>
    {
        SmtpReader reader = new(line, at, session.Syntax);
        T command = T.Parse(ref reader);
        if (reader.Error is not { } error) return command.RunAsync(session, cancel);
        return new((traits & VerbTraits.CarriesData) != 0 ? session.HangUp(error) : error);
    });
}
