using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using Posthorn.Transport.Policy;

namespace Posthorn.Transport.Milter;

/// <summary>One filter's side of one client's session: tells it what happens, and does what it wants. What goes wrong becomes the decision that the settings name for that.</summary>
/// <remarks>A session uses one connection to the filter; when that fails, the filter is out for the rest of the session.</remarks>
internal sealed class MilterCheck(MilterOptions options, MilterServices services, ClientContext client) : ISessionCheck
{
    private readonly ArrayBufferWriter<byte> _scratch = new(256);
    private readonly MilterMacros _macros = new(services, options.DaemonName ?? services.Hostname) { Client = client };
    private readonly string _by = $"milter {options.Name}";
    private MilterConnection? _connection;
    private string? _failure;
    private SmtpReply? _refused;
    private bool _isInMessage;
    private bool _mayServeAgain;
    private bool _skipsRcpt;
    private bool _hasLostMessage; // by a HELO that another check refused: the transaction goes on, and the filter knows nothing of it any more

    public async ValueTask<Verdict> ConnectAsync(CheckContext context, CancellationToken cancel)
    {
        if (context.IsDryRun)
        {
            context.Remark(new(CheckStage.Connect, _by, "would be asked", false));
            return Verdict.Accept;
        }
        _macros.Name = await context.NameAsync(cancel);
        Event what = new(MilterCommand.Connect, MilterStage.Connect, MilterSteps.NoConnect, MilterSteps.NoConnectReply);
        try
        {
            _connection = await services.Pool.TakeAsync(options, cancel);
            WriteClient();
            if (!_connection.IsUsed) return await TellAsync(context, CheckStage.Connect, what, cancel);
            try { return await AskAsync(context, CheckStage.Connect, _connection, what, cancel); }
            catch (MilterException)
            {
                // It was closed just now, by a filter that is started anew perhaps: that says nothing about the filter.
                await _connection.DisposeAsync();
                _connection = null;
                _connection = await services.Pool.OpenAsync(options, cancel);
                WriteClient();
                return await TellAsync(context, CheckStage.Connect, what, cancel);
            }
        }
        catch (MilterException e) { return await FailAsync(context, CheckStage.Connect, e); }
    }

    public async ValueTask<Verdict> HeloAsync(CheckContext context, CancellationToken cancel)
    {
        bool wasInMessage = _isInMessage;
        await EndMessageAsync(context, cancel);
        (_mayServeAgain, _hasLostMessage) = (false, wasInMessage);
        MilterConnection.WriteTexts(Fresh(), context.Client.Helo);
        return await TellAsync(context, CheckStage.Helo, new(MilterCommand.Helo, MilterStage.Helo, MilterSteps.NoHelo, MilterSteps.NoHeloReply), cancel);
    }

    public async ValueTask<Verdict> SenderAsync(CheckContext context, Envelope envelope, CancellationToken cancel)
    {
        await EndMessageAsync(context, cancel);
        (_skipsRcpt, _mayServeAgain) = (false, false);
        (_macros.Envelope, _macros.Sender) = (envelope, envelope.From);
        MilterConnection.WriteTexts(Fresh(), [$"<{envelope.From}>", .. MilterParameters.Of(envelope)]);
        _isInMessage = true;
        return await TellAsync(context, CheckStage.Sender, new(MilterCommand.Mail, MilterStage.Mail, MilterSteps.NoMail, MilterSteps.NoMailReply), cancel);
    }

    public ValueTask<Verdict> RecipientAsync(CheckContext context, Envelope envelope, EnvelopeRecipient recipient, CancellationToken cancel) => RecipientAsync(context, recipient, null, cancel);

    public async ValueTask RecipientRefusedAsync(CheckContext context, Envelope envelope, EnvelopeRecipient recipient, SmtpReply reply, CancellationToken cancel)
    {
        // What the filter thinks of it changes nothing.
        if (_connection is { } connection && connection.Terms.Has(MilterSteps.RefusedRecipients)) await RecipientAsync(context, recipient, reply, cancel);
    }

    public ValueTask<Verdict> DataAsync(CheckContext context, Envelope envelope, CancellationToken cancel)
    {
        Fresh();
        return Version < 4 ? new(Verdict.Continue) : TellAsync(context, CheckStage.Data, new(MilterCommand.Data, MilterStage.Data, MilterSteps.NoData, MilterSteps.NoDataReply), cancel);
    }

    public ValueTask<Verdict> UnknownAsync(CheckContext context, ReadOnlyMemory<byte> line, CancellationToken cancel)
    {
        Fresh().Write(line.Span);
        _scratch.Write("\0"u8);
        return Version < 3 ? new(Verdict.Continue) : TellAsync(context, null, new(MilterCommand.Unknown, null, MilterSteps.NoUnknown, MilterSteps.NoUnknownReply), cancel);
    }

    public async ValueTask<Verdict> MessageAsync(CheckContext context, MessageDraft draft, CancellationToken cancel)
    {
        if (_failure is not null) return Fallback(context, CheckStage.Message);
        if (_refused is { } refused) return new Verdict.Refuse(refused);
        if (_connection is not { } connection) return Verdict.Continue;
        if (_hasLostMessage) return new Verdict.Refuse(MilterReplies.TryLater);
        _macros.Client = context.Client;
        _macros.Sender = draft.From;
        await using MilterMessageRun run = new(connection, options, services, _macros);
        try
        {
            MilterAnswer answer = await run.PlayAsync(draft, cancel);
            _isInMessage = !run.HasEnded;
            _mayServeAgain = run.HasEnded && answer is MilterAnswer.Continue;
            if (run.HasEnded && answer is MilterAnswer.Continue or MilterAnswer.Accept or MilterAnswer.Skip) await ApplyAsync(context, draft, run.Edits, connection, cancel);
            return Judge(context, CheckStage.Message, answer);
        }
        catch (MilterException e) { return await FailAsync(context, CheckStage.Message, e); }
    }

    public ValueTask AbortAsync(CheckContext context, CancellationToken cancel) => EndMessageAsync(context, cancel);

    /// <summary>The client has gone: the connection is kept for the next one where the filter knows how.</summary>
    /// <remarks>
    /// Filters on libmilter do not hear SMFIC_QUIT_NC but right after the end of a message to which they have said "continue" (or an unknown command): elsewhere their table of states
    /// has no way for it, it is passed over without a word, and the next client would wait in vain.
    /// </remarks>
    public async ValueTask DisposeAsync()
    {
        if (_connection is not { } connection) return;
        _connection = null;
        try
        {
            bool again = _mayServeAgain && connection.Terms.Version >= 6 && options.MaxIdle > 0;
            if (_isInMessage) connection.Write(MilterCommand.Abort, default);
            connection.Write(again ? MilterCommand.QuitNewConnection : MilterCommand.Quit, default);
            await connection.FlushAsync(options.CommandTimeout, CancellationToken.None);
            if (again) await services.Pool.ReturnAsync(options, connection);
            else await connection.DisposeAsync();
        }
        catch (MilterException) { await connection.DisposeAsync(); }
    }

    /// <summary>An event: its command and stage, and by which words a filter does not want it or does not answer.</summary>
    private readonly record struct Event(byte Command, MilterStage? Stage, MilterSteps Unwanted, MilterSteps Unanswered);

    private int Version => _connection?.Terms.Version ?? MilterProtocol.NewestVersion;

    private ArrayBufferWriter<byte> Fresh()
    {
        _scratch.ResetWrittenCount();
        return _scratch;
    }

    private void WriteClient()
    {
        ArrayBufferWriter<byte> data = Fresh();
        if (!client.IsAddressKnown)
        {
            MilterConnection.WriteTexts(data, _macros.Name.Verified ?? "unknown");
            data.Write("U"u8); // SMFIA_UNKNOWN: neither port nor address follow
            return;
        }
        string address = MilterMacros.Shown(client.Address);
        MilterConnection.WriteTexts(data, _macros.IsUnixSocket ? "localhost" : _macros.Name.Verified ?? $"[{address}]");
        if (_macros.IsUnixSocket)
        {
            data.Write("L\0\0"u8);
            MilterConnection.WriteTexts(data, client.LocalEndPoint?.ToString() ?? "");
            return;
        }
        data.Write(client.Address.AddressFamily == AddressFamily.InterNetworkV6 ? "6"u8 : "4"u8);
        BinaryPrimitives.WriteUInt16BigEndian(data.GetSpan(2), (ushort)client.Port);
        data.Advance(2);
        MilterConnection.WriteTexts(data, address);
    }

    private async ValueTask<Verdict> RecipientAsync(CheckContext context, EnvelopeRecipient recipient, SmtpReply? refusal, CancellationToken cancel)
    {
        if (_skipsRcpt) return Verdict.Continue;
        (_macros.Recipient, _macros.RecipientRefusal) = (recipient.Address, refusal);
        MilterConnection.WriteTexts(Fresh(), [$"<{recipient.Address}>", .. MilterParameters.Of(recipient)]);
        Verdict verdict = await TellAsync(context, CheckStage.Recipient, new(MilterCommand.Rcpt, MilterStage.Rcpt, MilterSteps.NoRcpt, MilterSteps.NoRcptReply), cancel);
        (_macros.Recipient, _macros.RecipientRefusal) = (null, null);
        return verdict;
    }

    // Tells what lies in the scratch buffer, after the macros of its stage.
    private async ValueTask<Verdict> TellAsync(CheckContext context, CheckStage? stage, Event what, CancellationToken cancel)
    {
        if (_failure is not null) return Fallback(context, stage);
        if (_refused is { } refused) return new Verdict.Refuse(refused);
        if (_connection is not { } connection) return Verdict.Continue;
        if (_hasLostMessage && stage > CheckStage.Helo) return new Verdict.Refuse(MilterReplies.TryLater);
        try { return await AskAsync(context, stage, connection, what, cancel); }
        catch (MilterException e) { return await FailAsync(context, stage, e); }
    }

    private async ValueTask<Verdict> AskAsync(CheckContext context, CheckStage? stage, MilterConnection connection, Event what, CancellationToken cancel)
    {
        _macros.Client = context.Client;
        byte[] data = _scratch.WrittenSpan.ToArray();
        // Also where the event itself is not wanted: what it tells may be asked for later.
        if (what.Stage is { } known && _macros.Write(Fresh(), what.Command, known, connection.Terms)) connection.Write(MilterCommand.Macros, _scratch.WrittenSpan);
        if (connection.Terms.Has(what.Unwanted)) return Verdict.Continue;
        connection.Write(what.Command, data);
        if (!connection.Terms.Has(what.Unanswered)) return Judge(context, stage, await MilterMessageRun.AnswerAsync(connection, options.CommandTimeout, cancel));
        await connection.RelieveAsync(options.CommandTimeout, cancel);
        return Verdict.Continue;
    }

    private async ValueTask ApplyAsync(CheckContext context, MessageDraft draft, MilterEdits edits, MilterConnection connection, CancellationToken cancel)
    {
        string done = await MilterApply.ToAsync(draft, edits, connection.Terms.Has(MilterSteps.LeadingSpace), cancel);
        if (done.Length > 0) context.Remark(new(CheckStage.Message, _by, done, true));
        if (edits.Quarantine is not { } reason) return;
        context.Orders.Hold($"{options.Name}: {reason}");
        context.Remark(new(CheckStage.Message, _by, $"quarantine: {reason}", true));
    }

    private Verdict Judge(CheckContext context, CheckStage? stage, MilterAnswer answer)
    {
        switch (answer)
        {
            case MilterAnswer.Continue: return Verdict.Continue;
            case MilterAnswer.Skip:
                _skipsRcpt |= stage == CheckStage.Recipient;
                return Verdict.Continue;
            case MilterAnswer.Accept:
                if (stage is not null) context.Remark(new(stage.Value, _by, "accept", true));
                return stage is null ? Verdict.Continue : Verdict.Accept;
            // Before a message there is nothing to throw away.
            case MilterAnswer.Discard when stage is null or CheckStage.Connect or CheckStage.Helo: return Verdict.Continue;
            case MilterAnswer.Discard:
                context.Orders.Discard($"{options.Name} wants it so");
                context.Remark(new(stage.Value, _by, "discard", true));
                return Verdict.Accept;
            case MilterAnswer.Reject: return Refuse(context, stage, MilterReplies.Rejected);
            case MilterAnswer.TempFail: return Refuse(context, stage, MilterReplies.TryLater);
            case MilterAnswer.Say say: return Refuse(context, stage, say.Reply);
            case MilterAnswer.HangUp: return Refuse(context, stage, MilterReplies.HangUp);
            default: throw new System.Diagnostics.UnreachableException();
        }
    }

    private Verdict.Refuse Refuse(CheckContext context, CheckStage? stage, SmtpReply reply)
    {
        if (stage is { } known) context.Remark(new(known, _by, reply.ToString(), true));
        // Who refuses a client has no further part in its session.
        if (stage is CheckStage.Connect or CheckStage.Helo) _refused = reply;
        return new(reply);
    }

    // The transaction is over, finished or not: a filter that is in the middle of it is told.
    private async ValueTask EndMessageAsync(CheckContext context, CancellationToken cancel)
    {
        (_macros.Envelope, _macros.Sender, _hasLostMessage) = (null, null, false);
        if (!_isInMessage) return;
        _isInMessage = false;
        if (_connection is not { } connection) return;
        connection.Write(MilterCommand.Abort, default);
        try { await connection.RelieveAsync(options.CommandTimeout, cancel); }
        catch (MilterException e) { await FailAsync(context, null, e); }
    }

    // From now on nobody waits for this filter: not in this session.
    private async ValueTask<Verdict> FailAsync(CheckContext context, CheckStage? stage, MilterException error)
    {
        _failure = error.Message;
        services.Log.MilterFailed(options.Name, error.Message, options.Fallback);
        if (_connection is { } connection)
        {
            _connection = null;
            _isInMessage = false;
            await connection.DisposeAsync();
        }
        return Fallback(context, stage);
    }

    // A client that may say QUIT in peace is better than one that is cut off: a refusal is told where mail begins.
    private Verdict Fallback(CheckContext context, CheckStage? stage)
    {
        if (stage is not { } known) return Verdict.Continue;
        if (known >= CheckStage.Sender) context.Remark(new(known, _by, $"failed ({_failure}): {options.Fallback.ToString().ToLowerInvariant()}", options.Fallback != MilterFallback.Accept));
        switch (options.Fallback)
        {
            case MilterFallback.Accept: return Verdict.Continue;
            case MilterFallback.Quarantine:
                context.Orders.Hold($"the filter {options.Name} {_failure}");
                return Verdict.Continue;
            default: return known < CheckStage.Sender ? Verdict.Continue : new Verdict.Refuse(options.Fallback == MilterFallback.Reject ? MilterReplies.Unavailable : MilterReplies.TryLater);
        }
    }
}
