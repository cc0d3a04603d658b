using Posthorn.Transport;

namespace Posthorn.Smtp.Session;

/// <summary>What DATA and the last BDAT have in common: the message is handed over and answered.</summary>
internal static class MessageEnd
{
    /// <summary>Finishes the message. SMTP gets one reply, LMTP one for each recipient, in order (RFC 2033 section 4.2).</summary>
    public static async ValueTask<SmtpReply?> AnswerAsync(SmtpSession session, Transaction mail, CancellationToken cancel)
    {
        MessageBody body = mail.Body!;
        AcceptOutcome outcome = await body.FinishAsync(cancel);
        SmtpReply overall = outcome.Overall;
        Envelope envelope = mail.Envelope;
        session.Log.MessageAnswered(new(envelope.Id, envelope.From.ToString(), envelope.Recipients.Count, body.Size), session.Id, overall.Code, overall.Status, overall.Text);
        session.IsLogged();
        await session.EndTransactionAsync();
        if (overall.IsPositive) session.Forgive();
        if (session.Role != ListenerRole.Lmtp) return overall;
        for (int i = 0; i < outcome.Recipients.Count - 1; i++) session.Say(outcome.Recipients[i]);
        return outcome.Recipients[^1];
    }
}
