using Posthorn.Net;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Session;

/// <summary>A message on its way from the peer to the transport. Nothing of it stays here; what cannot be taken is read on to its end and dropped.</summary>
internal sealed class MessageBody : IAsyncDisposable
{
    private readonly SmtpSession _session;
    private readonly DataDecoder? _decoder;
    private readonly bool _mends;
    private IMessageIntake? _intake;
    private SmtpReply? _refusal;
    private long _size;
    private readonly BodyPace _pace;

    /// <param name="session">Whose message it is.</param>
    /// <param name="envelope">With at least one recipient.</param>
    /// <param name="dotted">True for DATA, false for BDAT.</param>
    public MessageBody(SmtpSession session, Envelope envelope, bool dotted)
    {
        _session = session;
        _mends = session.MendsLineEnds;
        // Binary content has no lines (RFC 3030 section 3).
        if (envelope.Body != BodyType.BinaryMime) _decoder = new(dotted, _mends, session.Options.MaxTextLine);
        _pace = new(session);
        _intake = session.Transport.Begin(envelope);
    }

    /// <summary>Octets of the message so far, taken or not.</summary>
    public long Size => _size;

    /// <summary>Why it will not be taken, as far as is known.</summary>
    public SmtpReply? Refusal => _refusal;

    /// <summary>Reads up to CRLF "." CRLF. False when the peer was lost before.</summary>
    public async ValueTask<bool> ReadDottedAsync(CancellationToken cancel)
    {
        InputBuffer input = _session.Connection.Input;
        while (true)
        {
            DataStep step = _decoder!.Next(input.Span);
            await TakeAsync(input, step, cancel);
            if (step.State == DataState.Ended) return true;
            if (step.State == DataState.Starved && !await _pace.FillAsync(cancel)) return false;
        }
    }

    /// <summary>Reads one chunk of BDAT. False when the peer was lost before its end.</summary>
    public async ValueTask<bool> ReadChunkAsync(long octets, CancellationToken cancel)
    {
        InputBuffer input = _session.Connection.Input;
        while (octets > 0)
        {
            int there = (int)Math.Min(input.Length, octets);
            if (there == 0)
            {
                if (!await _pace.FillAsync(cancel)) return false;
                continue;
            }
            DataStep step = _decoder is null
                ? new(there, default, there, DataState.Starved)
                : _decoder.Next(input.Span[..there], boundary: there == octets);
            await TakeAsync(input, step, cancel);
            octets -= step.Used;
            if (step.State == DataState.Starved && step.Used < there && !await _pace.FillAsync(cancel)) return false;
        }
        return true;
    }

    /// <summary>The message is complete: decides, makes durable, delivers.</summary>
    public async ValueTask<AcceptOutcome> FinishAsync(CancellationToken cancel)
    {
        if (_decoder is not null) await WriteAsync(_decoder.Finish(), cancel);
        Judge();
        if (_refusal is { } refusal || _intake is null) return AllGet(_refusal ?? Reply.LocalError);
#pragma warning disable CA1031 // The session must still answer each recipient, in LMTP too; the cause is in the log.
        try { return await _intake.FinishAsync(cancel); }
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            _session.Log.TransportFailed(e, _session.Id, _session.Transaction?.Envelope.Id);
            return AllGet(Reply.LocalError);
        }
    }

    public ValueTask DisposeAsync() => DropAsync();

    // What the session refuses the transport has not heard of.
    private AcceptOutcome AllGet(SmtpReply reply)
    {
        if (_session.Transaction is { } mail) _session.Transport.NoteRefusal(mail.Envelope, null, reply);
        return new(reply, [.. Enumerable.Repeat(reply, _session.Transaction?.Envelope.Recipients.Count ?? 0)]);
    }

    private async ValueTask TakeAsync(InputBuffer input, DataStep step, CancellationToken cancel)
    {
        await WriteAsync(input.Memory[..step.Take], cancel);
        await WriteAsync(step.Then, cancel);
        input.Advance(step.Used);
    }

    private async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        if (bytes.IsEmpty) return;
        _size += bytes.Length;
        if (_intake is null) return;
        Judge();
        if (_refusal is not null)
        {
            await DropAsync();
            return;
        }
#pragma warning disable CA1031 // The rest of the message has to be read before the answer, or it would be taken for commands; the cause is in the log.
        try { await _intake.WriteAsync(bytes, cancel); }
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            _session.Log.TransportFailed(e, _session.Id, _session.Transaction?.Envelope.Id);
            _refusal = Reply.LocalError;
            await DropAsync();
        }
    }

    // Refusals are known early, but told at the end of the message: only then does the peer listen.
    private void Judge()
    {
        if (_refusal is not null) return;
        if (_size > _session.Transport.MaxMessageSize) _refusal = Reply.TooBig;
        else if (_decoder is { HasLongLine: true }) _refusal = Reply.TextLineTooLong;
        else if (!_mends && _decoder is { HasBareLineEnds: true }) _refusal = Reply.BareLineEnds;
    }

    private async ValueTask DropAsync()
    {
        IMessageIntake? intake = _intake;
        _intake = null;
        if (intake is not null) await intake.DisposeAsync();
    }
}
