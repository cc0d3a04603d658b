namespace Posthorn.Transport.Policy;

/// <summary>One check of one SMTP, submission or LMTP session: rules, a policy server, a mail filter. It is asked at each stage, one call at a time, and disposed when the session ends.</summary>
/// <remarks>
/// What a check cannot allow it cannot allow: relay control, unknown recipients and full mailboxes are decided outside. A check that is asked to end a transaction
/// need not have seen its beginning, since another one may have refused it. An exception makes the answer 451, with the cause in the log.
/// </remarks>
public interface ISessionCheck : IAsyncDisposable
{
    /// <summary>A client has connected; the greeting is not yet out.</summary>
    ValueTask<Verdict> ConnectAsync(CheckContext context, CancellationToken cancel) => new(Verdict.Continue);

    /// <summary>The client has named itself, perhaps again; <see cref="ClientContext.Helo"/> has the name.</summary>
    ValueTask<Verdict> HeloAsync(CheckContext context, CancellationToken cancel) => new(Verdict.Continue);

    /// <summary>MAIL, which the server itself would take.</summary>
    ValueTask<Verdict> SenderAsync(CheckContext context, Envelope envelope, CancellationToken cancel) => new(Verdict.Continue);

    /// <summary>RCPT, which the server itself would take. The envelope does not hold the recipient yet.</summary>
    ValueTask<Verdict> RecipientAsync(CheckContext context, Envelope envelope, EnvelopeRecipient recipient, CancellationToken cancel) => new(Verdict.Continue);

    /// <summary>RCPT, which was refused: for checks that want to know. It changes nothing.</summary>
    ValueTask RecipientRefusedAsync(CheckContext context, Envelope envelope, EnvelopeRecipient recipient, SmtpReply reply, CancellationToken cancel) => ValueTask.CompletedTask;

    /// <summary>DATA or the first BDAT, with at least one recipient.</summary>
    ValueTask<Verdict> DataAsync(CheckContext context, Envelope envelope, CancellationToken cancel) => new(Verdict.Continue);

    /// <summary>The whole message is here and may be changed; each check sees what the ones before it made of it.</summary>
    ValueTask<Verdict> MessageAsync(CheckContext context, MessageDraft draft, CancellationToken cancel) => new(Verdict.Continue);

    /// <summary>A command that the server does not know, without its line end.</summary>
    ValueTask<Verdict> UnknownAsync(CheckContext context, ReadOnlyMemory<byte> line, CancellationToken cancel) => new(Verdict.Continue);

    /// <summary>The transaction has ended before its message: RSET, a new EHLO, a lost peer, a refusal.</summary>
    ValueTask AbortAsync(CheckContext context, CancellationToken cancel) => ValueTask.CompletedTask;
}

/// <summary>Makes the checks of one kind. Shared by all sessions; a reload brings another one for the sessions that begin then.</summary>
public interface ICheckSource
{
    /// <summary>A check for a session that begins; null when it has nothing to say there.</summary>
    ISessionCheck? Open(ClientContext client);
}
