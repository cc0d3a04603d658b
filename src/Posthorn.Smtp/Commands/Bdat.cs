using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>BDAT: one chunk of the message, counted instead of marked (RFC 3030 section 2).</summary>
/// <remarks><c>bdat-cmd = "BDAT" SP chunk-size [ SP "LAST" ] CRLF</c></remarks>
internal sealed record Bdat(long Octets, bool IsLast) : ISmtpCommand<Bdat>
{
    public static Bdat Parse(ref SmtpReader args)
    {
        args.Space();
        long octets = args.Number();
        if (args.IsAtEnd) return new(octets, false);
        args.Space();
        args.Keyword("LAST"u8);
        args.End();
        return new(octets, true);
    }

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        if (session.Transaction is not { } mail) return await DiscardAsync(session, session.Helo is null ? Reply.NeedHello : Reply.NeedMail, cancel);
        if (mail.ChunksFailed) return await DiscardAsync(session, Reply.ChunksFailed, cancel);
        if (mail.Envelope.Recipients.Count == 0)
            return await DiscardAsync(session, mail.Refused > 0 ? Reply.NoValidRecipients : Reply.NeedRecipient, cancel);

        if (mail.Body is null && await session.Policy.DataAsync(mail.Envelope, cancel) is { } refused)
        {
            mail.ChunksFailed = true;
            session.Transport.NoteRefusal(mail.Envelope, null, refused);
            return await DiscardAsync(session, refused, cancel);
        }
        mail.Body ??= new(session, mail.Envelope, dotted: false);
        if (!await mail.Body.ReadChunkAsync(Octets, cancel))
        {
            session.Log.PeerLost(session.Id, mail.Envelope.Id, mail.Body.Size);
            session.Transport.NoteLoss(mail.Envelope, mail.Body.Size);
            return session.Lost();
        }
        if (IsLast) return await MessageEnd.AnswerAsync(session, mail, cancel);
        if (mail.Body.Refusal is not { } refusal) return Reply.ChunkTaken(Octets);
        mail.ChunksFailed = true;
        session.Transport.NoteRefusal(mail.Envelope, null, refusal);
        return refusal;
    }

    // The chunk comes whatever we say: it has to be read, or it would be taken for commands. LMTP has one reply to the last chunk for each recipient, or none (RFC 2033 section 4.3).
    private async ValueTask<SmtpReply?> DiscardAsync(SmtpSession session, SmtpReply reply, CancellationToken cancel)
    {
        if (!await new BodyPace(session).DiscardAsync(Octets, cancel)) return session.Lost();
        if (!IsLast || session.Role != ListenerRole.Lmtp) return reply;
        int recipients = session.Transaction?.Envelope.Recipients.Count ?? 0;
        for (int i = 1; i < recipients; i++) session.Say(reply);
        return recipients > 0 ? reply : null;
    }
}
