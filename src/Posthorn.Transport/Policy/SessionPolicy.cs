namespace Posthorn.Transport.Policy;

/// <summary>What a session is told at each stage: the transport's own word first, then that of the checks. The SMTP session and <c>posthorn explain</c> both ask here.</summary>
/// <param name="transport">Where mail goes, and whose relay control no check can lift.</param>
/// <param name="checks">The checks; null where there are none, which costs nothing.</param>
/// <param name="delays">Refusals before RCPT are told at RCPT, so that the log shows the recipient and odd clients do not loop; 421 and what is wrong with the session itself excepted.</param>
public sealed class SessionPolicy(IMailTransport transport, SessionChecks? checks, bool delays) : IAsyncDisposable
{
    private SmtpReply? _client;
    private SmtpReply? _helo;
    private SmtpReply? _sender;

    /// <summary>A refusal has been kept back, and each recipient will get it.</summary>
    public SmtpReply? Pending => _client ?? _helo ?? _sender;

    /// <summary>What to say instead of the greeting; null to greet.</summary>
    public ValueTask<SmtpReply?> ConnectAsync(CancellationToken cancel) => checks is null ? default : AskConnectAsync(cancel);

    /// <summary>What to say instead of our capabilities; null for those.</summary>
    public ValueTask<SmtpReply?> HeloAsync(ClientContext client, CancellationToken cancel) => checks is null ? default : AskHeloAsync(client, cancel);

    /// <summary>The reply to MAIL. When it is positive a transaction is open.</summary>
    public async ValueTask<SmtpReply> SenderAsync(Envelope envelope, CancellationToken cancel)
    {
        _sender = null;
        SmtpReply own = await transport.AdmitSenderAsync(envelope, cancel);
        SmtpReply? refusal = own.IsPositive ? null : own;
        envelope.Checks = checks;
        if (checks is not null && refusal is null && Pending is null) refusal = await checks.SenderAsync(envelope, cancel);
        if (refusal is null) return own;
        SmtpReply reply = KeepBack(refusal, ref _sender) ?? Accept.Replies.SenderOk;
        if (!reply.IsPositive && checks is not null) await checks.EndAsync(cancel);
        return reply;
    }

    /// <summary>The reply to RCPT; the caller adds the recipient when it is positive.</summary>
    public async ValueTask<SmtpReply> RecipientAsync(Envelope envelope, EnvelopeRecipient recipient, CancellationToken cancel)
    {
        if (Pending is { } pending) return pending;
        SmtpReply own = await transport.AdmitRecipientAsync(envelope, recipient, cancel);
        if (checks is null) return own;
        if (own.IsPositive) return await checks.RecipientAsync(envelope, recipient, cancel) ?? own;
        await checks.RecipientRefusedAsync(envelope, recipient, own, cancel);
        return own;
    }

    /// <summary>Why the message is not to be sent; null to go on.</summary>
    public ValueTask<SmtpReply?> DataAsync(Envelope envelope, CancellationToken cancel) => checks is null ? default : checks.DataAsync(envelope, cancel);

    /// <summary>What to say of a command that nobody knows; null for the usual.</summary>
    public ValueTask<SmtpReply?> UnknownAsync(ReadOnlyMemory<byte> line, CancellationToken cancel) => checks is null ? default : checks.UnknownAsync(line, cancel);

    /// <summary>The transaction has ended, with its message or without.</summary>
    public ValueTask EndAsync(CancellationToken cancel)
    {
        _sender = null;
        return checks is null ? default : checks.EndAsync(cancel);
    }

    public ValueTask DisposeAsync() => checks is null ? default : checks.DisposeAsync();

    private async ValueTask<SmtpReply?> AskConnectAsync(CancellationToken cancel) => KeepBack(await checks!.ConnectAsync(cancel), ref _client);

    private async ValueTask<SmtpReply?> AskHeloAsync(ClientContext client, CancellationToken cancel)
    {
        SmtpReply? before = _helo;
        _helo = null;
        if (KeepBack(await checks!.HeloAsync(client, cancel), ref _helo) is not { } refusal) return null;
        checks.TakeHeloBack();
        _helo = before;
        return refusal;
    }

    private SmtpReply? KeepBack(SmtpReply? refusal, ref SmtpReply? place)
    {
        if (refusal is null || !delays || refusal.Code == 421) return refusal;
        place = refusal;
        return null;
    }
}
