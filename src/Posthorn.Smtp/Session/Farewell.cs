using Posthorn.Net;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Session;

/// <summary>Sends a client away that is refused at the door: it may still say QUIT, and hears 503 to all else (RFC 5321 section 3.1).</summary>
internal sealed class Farewell(SmtpSession session)
{
    /// <summary>Lines that are answered: a client that pipelines after a refusal sends some five.</summary>
    private const int MaxLines = 10;

    /// <summary>How long it may take to leave: servers say QUIT at once.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Says the refusal, waits for the goodbye, and ends the session.</summary>
    public async ValueTask SayAsync(SmtpReply refusal, CancellationToken cancel)
    {
        session.Say(refusal);
        for (int i = 0; i < MaxLines && refusal.Code is not (421 or 521); i++)
        {
            await session.FlushAsync(cancel);
            session.Connection.SetDeadline(Patience);
            InputLine line = await session.Connection.ReadLineAsync(session.Options.MaxCommandLine, cancel);
            session.Connection.ClearDeadline();
            if (line.Status == LineStatus.Ended) break;
            bool leaves = line.Status == LineStatus.Complete && Verb.Find(line.Bytes.Span, out _)?.Name == "QUIT";
            session.Say(leaves ? Reply.Bye : Reply.NotWelcome);
            if (leaves) break;
        }
        session.Close();
    }
}
