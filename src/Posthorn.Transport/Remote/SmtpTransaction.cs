using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Mime.Recoding;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Remote;

/// <summary>One mail transaction as client (RFC 5321 section 3.3): MAIL, RCPT, DATA, with pipelining where it is offered (RFC 2920).</summary>
/// <remarks>Two ends: <c>cancel</c> counts until the content begins, <c>abort</c> from there to its answer. Who breaks off after the last dot does not know whether the message was taken, and sends it twice (RFC 1047).</remarks>
internal sealed class SmtpTransaction(SmtpClientSession session, OutgoingMail mail, EightBitPolicy eightBit, IMailStores stores, CancellationToken abort)
{
    private IMessageContent _content = mail.Content;
    private bool _taken;
    private bool _isUnreadable;
    private bool[]? _admitted;
    private readonly SmtpReply?[] _replies = new SmtpReply?[mail.Recipients.Count];

    /// <summary>The form in which it goes out, when that is not the one in which it came.</summary>
    private WireForm? _form;

    /// <summary>Carries it out.</summary>
    public async ValueTask<TransactionResult> RunAsync(CancellationToken cancel)
    {
        if (mail.MayHavePartInUtf8 && RecodedContent.HasEightBitHeader(mail.Content)) mail = mail with { HasPartInUtf8 = true };
        if (Unsuitable() is { } reason) return reason;
        _form = FormFor(session.Features);
        if (IsHeaderProblem(session.Features)) _form ??= session.Features.EightBitMime ? WireForm.EightBit : WireForm.SevenBit;
        if (_form is not { } form) return await TransferAsync(mail.Content, cancel);
        await using RecodedContent? recoded = await RecodeAsync(form, cancel);
        if (recoded is null && IsHeaderProblem(session.Features)) return Unfit(NoUtf8Header);
        // Servers that cut long lines are few: where that is all that is amiss, a signature counts for more.
        if (recoded is null && !IsUnbearable(session.Features))
        {
            _form = null;
            return await TransferAsync(mail.Content, cancel);
        }
        return recoded is not null ? await TransferAsync(recoded, cancel) : Unfit(new(550, "5.6.1", $"{session.Host} does not take the message as it is ({Missing(form)}), and recoding it would break a signature"));
    }

    private async ValueTask<RecodedContent?> RecodeAsync(WireForm form, CancellationToken cancel)
    {
        bool must = IsHeaderProblem(session.Features);
        // Where all has to be ASCII anyway, headers of which nobody said anything become so if they can.
        bool may = must || form == WireForm.SevenBit && MayRecodeHeader;
        return await RecodedContent.MakeAsync(mail.Content, form, asciiHeaders: may, stores, cancel)
            ?? (may && !must ? await RecodedContent.MakeAsync(mail.Content, form, asciiHeaders: false, stores, cancel) : null);
    }

    private async ValueTask<TransactionResult> TransferAsync(IMessageContent content, CancellationToken cancel)
    {
        _content = content;
        session.Transactions++;
        if (session.IsDirty)
        {
            SmtpReply reset = await session.CommandAsync("RSET", cancel);
            // That says nothing of this message: a session that cannot be cleared is replaced by another.
            if (!reset.IsPositive) return Untried(session.IsUsable ? session.Broken("4.5.0", $"{session.Host} answered RSET with: {reset}") : reset) with { WantsNewSession = true };
        }
        session.IsDirty = true;
        TransactionResult result = session.Features.Pipelining ? await PipelinedAsync(cancel) : await StepByStepAsync(cancel);
        // A message that was taken leaves nothing behind (RFC 5321 section 4.1.1.4).
        session.IsDirty = !_taken;
        return result;
    }

    // What can be said without asking: another host may be able to, so that each is a fault of this host.
    private TransactionResult? Unsuitable()
    {
        ServerFeatures features = session.Features;
        if (features.SizeLimit < mail.Message.Size) return Unfit(new(552, "5.3.4", $"The message ({mail.Message.Size} octets) is larger than {session.Host} takes ({features.SizeLimit})"));
        if (mail.NeedsUtf8 && !features.SmtpUtf8) return Unfit(new(550, "5.6.7", $"{session.Host} takes no addresses outside ASCII (SMTPUTF8)"));
        // A raw header of which nobody said so is older than that, and goes as it is.
        if (IsHeaderProblem(features) && !MayRecodeHeader) return Unfit(NoUtf8Header);
        if (IsSevenBitProblem(features) && eightBit == EightBitPolicy.Refuse) return Unfit(new(550, "5.6.1", $"{session.Host} takes no 8-bit content (8BITMIME)"));
        if (IsUnbearable(features) && FormFor(features) is { } form && mail.Message.Traits.HasFlag(ContentTraits.Signed)) return Unfit(new(550, "5.6.1", $"{session.Host} does not take the message as it is ({Missing(form)}), and recoding it would break its signature"));
        if (mail is { SecondsLeft: { } left, Message.By.Return: true })
        {
            // RFC 2852 section 4.1.4.1: handed on only to who promises to be in time.
            if (left <= 0) return TransactionResult.All(mail.Recipients.Count, new(550, "5.4.7", "The message could not be delivered in the time that its sender allowed"), false);
            if (!features.DeliverBy) return Unfit(new(550, "5.4.7", $"{session.Host} does not promise to deliver in time (DELIVERBY)"));
            if (left < features.DeliverByMinimum) return Unfit(new(550, "5.4.7", $"{session.Host} needs {features.DeliverByMinimum} seconds to deliver (DELIVERBY), and {left} are left"));
        }
        return null;
    }

    private bool IsHeaderProblem(ServerFeatures features) => mail.WantsUtf8 && !features.SmtpUtf8;

    // RFC 6531 section 3.2: where our own users hand mail in we may change it so that it can go; what others sent comes back to them.
    private bool MayRecodeHeader => mail.Message.IsOfAccount && eightBit != EightBitPolicy.Refuse && !mail.Message.Traits.HasFlag(ContentTraits.Signed) && !mail.Recipients.Any(recipient => recipient.IsForwarded);

    private SmtpReply NoUtf8Header => new(550, "5.6.9", $"{session.Host} takes no header outside ASCII (SMTPUTF8)");

    private bool IsSevenBitProblem(ServerFeatures features) => mail.Message.Traits.HasFlag(ContentTraits.EightBitBody) && !features.EightBitMime;

    // It cannot go as it is, whatever recoding may break.
    private bool IsUnbearable(ServerFeatures features) => IsBinaryMessage && !features.Binary || IsSevenBitProblem(features) && eightBit == EightBitPolicy.Convert;

    // How the message has to be recoded for this server; null when it goes as it is.
    private WireForm? FormFor(ServerFeatures features)
    {
        if (IsBinaryMessage && !features.Binary) return features.EightBitMime ? WireForm.EightBit : WireForm.SevenBit;
        if (IsSevenBitProblem(features) && eightBit == EightBitPolicy.Convert && !(IsBinaryMessage && features.Binary)) return WireForm.SevenBit;
        // RFC 5321 section 4.5.3.1.6: a line of more than 998 octets is nothing that a server must take.
        if (IsBinaryMessage || !mail.Message.Traits.HasFlag(ContentTraits.LongLine) || mail.Message.Traits.HasFlag(ContentTraits.Signed)) return null;
        return features.EightBitMime ? WireForm.EightBit : WireForm.SevenBit;
    }

    private static string Missing(WireForm form) => form == WireForm.SevenBit ? "8BITMIME" : "BINARYMIME";

    private async ValueTask<TransactionResult> PipelinedAsync(CancellationToken cancel)
    {
        session.Queue(MailCommand());
        foreach (EnvelopeRecipient recipient in mail.Recipients) session.Queue(RcptCommand(recipient));
        if (!IsBinary) session.Queue("DATA");
        if (await session.FlushAsync(cancel) is { } lost) return Untried(lost);

        SmtpReply sender = await session.ReadAsync("MAIL", session.Timeouts.Command, cancel);
        for (int i = 0; i < _replies.Length && session.IsUsable; i++) _replies[i] = await session.ReadAsync("RCPT", session.Timeouts.Command, cancel);
        // What a server says before it hangs up is its word.
        if (!session.IsUsable) return sender.IsPositive || session.IsOurs(sender) ? CutShort(LastOf(sender)) : Refused(sender);
        if (IsBinary) return !sender.IsPositive ? Refused(sender) : _replies.Any(reply => reply is { IsPositive: true }) ? await BinaryAsync(cancel) : Done();
        SmtpReply start = await session.ReadAsync("DATA", session.Timeouts.DataStart, cancel, intermediate: 354);
        bool any = sender.IsPositive && _replies.Any(reply => reply is { IsPositive: true });
        if (start.Code == 354 && !any)
        {
            // The server waits for data although nobody is to get it: an empty message ends that (RFC 2920 section 3.1).
            session.Queue(".");
            if (await session.FlushAsync(cancel) is null) await session.ReadAsync("the end of an empty message", session.Timeouts.DataEnd, cancel);
        }
        if (!sender.IsPositive) return Refused(sender);
        return any ? await DataAsync(start, cancel) : Done();
    }

    private async ValueTask<TransactionResult> StepByStepAsync(CancellationToken cancel)
    {
        SmtpReply sender = await session.CommandAsync(MailCommand(), cancel);
        if (!session.IsUsable) return Untried(sender);
        if (!sender.IsPositive) return Refused(sender);
        for (int i = 0; i < _replies.Length; i++)
        {
            _replies[i] = await session.CommandAsync(RcptCommand(mail.Recipients[i]), cancel);
            if (!session.IsUsable) return CutShort(_replies[i]!);
        }
        if (!_replies.Any(reply => reply is { IsPositive: true })) return Done();
        if (IsBinary) return await BinaryAsync(cancel);
        session.Queue("DATA");
        if (await session.FlushAsync(cancel) is { } lost) return CutShort(lost);
        return await DataAsync(await session.ReadAsync("DATA", session.Timeouts.DataStart, cancel, intermediate: 354), cancel);
    }

    private async ValueTask<TransactionResult> DataAsync(SmtpReply start, CancellationToken cancel)
    {
        if (start.Code != 354)
        {
            // A "positive" reply that is not 354 would leave both sides waiting.
            if (start.IsPositive) start = session.Broken("4.5.0", $"{session.Host} answered DATA with {start.Code}");
            return session.IsUsable ? Accepted(start) : CutShort(start);
        }
        cancel.ThrowIfCancellationRequested();
        return await SendContentAsync(new(session.Connection.Output)) is { } lost ? await InterruptedAsync(lost) : await EndedAsync();
    }

    private bool IsBinaryMessage => mail.Message.Body == BodyType.BinaryMime;

    private bool IsBinary => IsBinaryMessage && _form is null;

    // One chunk, octet for octet (RFC 3030 section 2).
    private async ValueTask<TransactionResult> BinaryAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        session.Queue(string.Create(CultureInfo.InvariantCulture, $"BDAT {_content.Length} LAST"));
        return await SendContentAsync(null) is { } lost ? await InterruptedAsync(lost) : await EndedAsync();
    }

    // LMTP answers for each recipient (RFC 2033 sections 4.2 and 4.3), SMTP once for all.
    private async ValueTask<TransactionResult> EndedAsync()
    {
        _admitted = [.. _replies.Select(reply => reply is { IsPositive: true })];
        if (!session.IsLmtp) Accepted(await session.ReadAsync("the message", session.Timeouts.DataEnd, abort));
        else
        {
            for (int i = 0; i < _replies.Length; i++)
            {
                if (!_replies[i]!.IsPositive) continue;
                try { _replies[i] = await session.ReadAsync("the message", session.Timeouts.DataEnd, abort); }
                catch (OperationCanceledException) { return BrokenOff(from: i); }
            }
        }
        _taken = _replies.Any(reply => reply is { IsPositive: true });
        return Done();
    }

    private async ValueTask<SmtpReply?> SendContentAsync(DataWriter? writer)
    {
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(32 * 1024);
        try
        {
            for (long at = 0; at < _content.Length;)
            {
                int read = ReadContent(at, buffer);
                _isUnreadable = read <= 0;
                if (_isUnreadable) return session.Broken("4.3.0", read < 0 ? "The message's content cannot be read now" : "The message's content ends early");
                at += read;
                if (writer is null) session.Connection.Output.Write(buffer.AsSpan(0, read));
                else writer.Write(buffer.AsSpan(0, read));
                if (!session.Connection.Output.IsLarge) continue;
                if (await session.FlushAsync(abort, session.Timeouts.DataBlock) is { } lost) return lost;
            }
        }
        finally { System.Buffers.ArrayPool<byte>.Shared.Return(buffer); }
        writer?.Finish();
        return await session.FlushAsync(abort, session.Timeouts.DataBlock);
    }

    // In the middle of a message nothing else can be said than that it does not end: the session does.
    private int ReadContent(long at, byte[] buffer)
    {
        try { return _content.Read(at, buffer); }
        catch (IOException) { return -1; }
    }

    private string MailCommand()
    {
        ServerFeatures features = session.Features;
        StringBuilder command = new($"MAIL FROM:<{mail.From}>");
        if (features.Size) command.Append(CultureInfo.InvariantCulture, $" SIZE={_content.Length}");
        if (IsBinary) command.Append(" BODY=BINARYMIME");
        else if (features.EightBitMime && mail.IsEightBit && _form != WireForm.SevenBit) command.Append(" BODY=8BITMIME");
        if (features.SmtpUtf8 && mail.WantsUtf8) command.Append(" SMTPUTF8");
        // Who first sent it is nothing that we vouch for (RFC 4954 section 5).
        if (session.IsLoggedIn) command.Append(" AUTH=<>");
        if (features.DeliverBy && mail is { SecondsLeft: { } left, Message.By: { } by }) command.Append(CultureInfo.InvariantCulture, $" BY={left};{(by.Return ? 'R' : 'N')}{(by.Trace ? "T" : "")}");
        if (mail.Message.RequiresTls && features.RequireTls && session.Connection.IsSecure) command.Append(" REQUIRETLS");
        if (!features.Dsn) return command.ToString();
        if (mail.Message.Return != DsnReturn.Unspecified) command.Append(mail.Message.Return == DsnReturn.Full ? " RET=FULL" : " RET=HDRS");
        if (mail.Message.EnvelopeId is { } id) command.Append(" ENVID=").Append(Xtext.Encode(id));
        return command.ToString();
    }

    private string RcptCommand(EnvelopeRecipient recipient)
    {
        StringBuilder command = new($"RCPT TO:<{recipient.Address}>");
        if (!session.Features.Dsn) return command.ToString();
        if (DsnWords.Notify(NotifyOf(recipient)) is { Length: > 0 } notify) command.Append(" NOTIFY=").Append(notify);
        if (recipient.OriginalRecipient is { } original && OriginalFor(original) is { } sayable) command.Append(" ORCPT=").Append(sayable);
        return command.ToString();
    }

    // Its form outside ASCII may only go where SMTPUTF8 is said; elsewhere it is coded (RFC 6533 section 3).
    private string? OriginalFor(string original)
    {
        if (Ascii.IsValid(original) || session.Features.SmtpUtf8 && mail.WantsUtf8) return original;
        int colon = original.IndexOf(';', StringComparison.Ordinal);
        return colon > 0 && Xtext.TryDecodeUtf8(Encoding.UTF8.GetBytes(original[(colon + 1)..]), out string address) ? $"utf-8;{Xtext.EncodeUtf8(address)}" : null;
    }

    // RFC 2852 section 4.1.4.2: where time is not watched, delays are.
    private DsnNotify NotifyOf(EnvelopeRecipient recipient)
    {
        if (mail.Message.By is not { Return: false } || session.Features.DeliverBy || recipient.Notify.HasFlag(DsnNotify.Never)) return recipient.Notify;
        return recipient.Notify == DsnNotify.Unspecified ? DsnNotify.Failure | DsnNotify.Delay : recipient.Notify | DsnNotify.Delay;
    }

    // The reply to the message is the reply to each recipient that was taken.
    private TransactionResult Accepted(SmtpReply reply)
    {
        for (int i = 0; i < _replies.Length; i++)
            if (_replies[i]!.IsPositive) _replies[i] = reply;
        return Done();
    }

    // The end was not sent, so that the message was not taken: another host may have it. Not so what cannot be read here.
    private async ValueTask<TransactionResult> InterruptedAsync(SmtpReply lost)
    {
        // A server that gives up amid the content often says why before it closes.
        if (!_isUnreadable && await session.LastWordAsync(abort) is { } why) return Accepted(why);
        if (session.IsLmtp || _isUnreadable) return Accepted(lost);
        return new([.. _replies.Select(reply => reply is { IsPositive: true } ? null : reply)], lost, true) { IsOfContent = true };
    }

    // We ended it: whoever has been answered keeps that.
    private TransactionResult BrokenOff(int from) =>
        new([.. _replies.Select((reply, i) => i >= from && reply is { IsPositive: true } ? null : reply)], session.Broken("4.3.0", "The attempt broke off"), true) { Admitted = _admitted, IsOfContent = true };

    // The connection ended before the content. Whom the server has refused for good is refused; all others were not asked.
    private TransactionResult CutShort(SmtpReply fault)
    {
        SmtpReply?[] said = [.. _replies.Select(reply => reply is { IsPermanent: true } ? reply : null)];
        return new(said, Array.TrueForAll(said, reply => reply is not null) ? null : fault, true);
    }

    private TransactionResult Done() => new(_replies, null, true) { Admitted = _admitted };

    private TransactionResult Refused(SmtpReply reply) =>
        reply.IsTransient ? Untried(reply) : TransactionResult.All(_replies.Length, reply, true);

    private TransactionResult Untried(SmtpReply fault) => TransactionResult.Untried(_replies.Length, fault, fromRemote: true);

    // Our own word on what the server offers: it was not asked, and is not made to say so (RFC 3464 section 2.3.6).
    private TransactionResult Unfit(SmtpReply fault) => TransactionResult.Untried(_replies.Length, fault, fromRemote: false);

    private SmtpReply LastOf(SmtpReply sender)
    {
        for (int i = _replies.Length - 1; i >= 0; i--)
            if (_replies[i] is { } last) return last;
        return sender;
    }
}

/// <summary>The words of DSN parameters (RFC 3461 section 4.1).</summary>
internal static class DsnWords
{
    public static string Notify(DsnNotify notify)
    {
        if (notify == DsnNotify.Unspecified) return "";
        if (notify.HasFlag(DsnNotify.Never)) return "NEVER";
        List<string> words = [];
        if (notify.HasFlag(DsnNotify.Success)) words.Add("SUCCESS");
        if (notify.HasFlag(DsnNotify.Failure)) words.Add("FAILURE");
        if (notify.HasFlag(DsnNotify.Delay)) words.Add("DELAY");
        return string.Join(',', words);
    }
}
