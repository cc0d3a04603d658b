using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>DATA: the message, up to CRLF "." CRLF (RFC 5321 section 4.1.1.4).</summary>
internal sealed record Data : ISmtpCommand<Data>
{
    public static Data Parse(ref SmtpReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        if (session.Transaction is not { } mail) return Reply.NeedMail;
        if (mail.Body is not null || mail.ChunksFailed) return Reply.InChunks;
        if (mail.Envelope.Body == BodyType.BinaryMime) return Reply.BinaryNeedsBdat;
        if (mail.Envelope.Recipients.Count == 0) return mail.Refused > 0 && session.Role != ListenerRole.Lmtp ? Reply.NoValidRecipients : Reply.NeedRecipient;

        if (await session.Policy.DataAsync(mail.Envelope, cancel) is { } refusal)
        {
            session.Transport.NoteRefusal(mail.Envelope, null, refusal);
            return refusal;
        }
        mail.Body = new(session, mail.Envelope, dotted: true);
        session.Say(Reply.StartMail);
        await session.FlushAsync(cancel);
        if (await mail.Body.ReadDottedAsync(cancel)) return await MessageEnd.AnswerAsync(session, mail, cancel);
        session.Log.PeerLost(session.Id, mail.Envelope.Id, mail.Body.Size);
        session.Transport.NoteLoss(mail.Envelope, mail.Body.Size);
        return session.Lost();
    }
}
