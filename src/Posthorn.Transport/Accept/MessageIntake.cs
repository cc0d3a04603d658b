using System.Buffers;
using System.Text;
using Posthorn.Core;
using Posthorn.Mime.Recoding;
using Posthorn.Store;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Rewriting;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Accept;

/// <summary>One message on its way in: the Received line goes before it, its header is watched (and on submission completed) as it streams into the store's sink.</summary>
internal sealed class MessageIntake : IMessageIntake
{
    private readonly MailTransport _transport;
    private readonly TransportOptions _options;
    private readonly Envelope _envelope;
    private HeaderScanner _header;
    private readonly DateTimeOffset _now;
    private readonly ArrayBufferWriter<byte> _scratch = new(1024);
    private IMessageSink? _sink;
    private SmtpReply? _refusal;
    private long _received;
    private bool _eightBitBody;
    private LineMeter _lines;
    private BodyType _body;
    private long _start;
    private ReversePath _from;
    private byte[]? _messageId;
    private IReadOnlyList<EnvelopeRecipient>? _readdressed;
    private readonly AddressRewriter? _rewriter;
    private readonly HeaderRewriter? _fields;
    private IReadOnlyList<EnvelopeRecipient>? _rewritten;

    public MessageIntake(MailTransport transport, Envelope envelope)
    {
        (_transport, _envelope, _options) = (transport, envelope, transport.Options);
        _now = transport.Services.Time.GetLocalNow();
        (_body, _from) = (envelope.Body, envelope.From);
        // Our users' programs may leave out what every message needs (RFC 6409 section 8), and leave in what no message leaves with; what others send stays as it is.
        bool completes = !envelope.IsWhole && (IsSubmission(envelope.Client) || _options.CompletesTrusted && envelope.Client is { IsTrusted: true, Role: ListenerRole.Mx });
        _header = new(_options.MaxHeaderSize, completes ? AddMissingFields : null, completes);
        _rewriter = transport.Rewriter;
        if (_rewriter is { } rewriter && (_options.Rewriting.Changed & AddressClasses.Headers) != 0 && WantsHeaders(envelope.Client, _options.Rewriting.Headers))
            _fields = new((address, isSender, cancel) => rewriter.CanonicalAsync(address, isSender ? AddressClasses.HeaderSender : AddressClasses.HeaderRecipient, cancel), bytes => PassAsync(bytes, CancellationToken.None));
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        if (_refusal is not null || bytes.Length == 0) return;
        _received += bytes.Length;
        if (_received > _options.MaxMessageSize)
        {
            _refusal = Replies.TooBig;
            return;
        }
        await (_fields?.WriteAsync(bytes, cancel) ?? PassAsync(bytes, cancel));
    }

    private async ValueTask PassAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        if (_header.InHeader)
        {
            int used = _header.Process(bytes.Span, _scratch);
            await StoreScratchAsync(cancel);
            bytes = bytes[used..];
            if (_header.IsTooLarge) _refusal ??= Replies.HeaderTooBig;
            if (_header.Hops > _options.MaxReceived) _refusal ??= Replies.HopLoop;
        }
        if (bytes.Length == 0) return;
        if (!_eightBitBody && !Ascii.IsValid(bytes.Span)) _eightBitBody = true;
        _lines.Look(bytes.Span);
        await StoreAsync(bytes, cancel);
    }

    public async ValueTask<AcceptOutcome> FinishAsync(CancellationToken cancel)
    {
        if (_fields is { } fields) await fields.CompleteAsync(cancel);
        await EndAsync(cancel);
        await StoreAsync(default, cancel); // a message without a single byte still gets its Received line
        _refusal ??= await CheckHeaderAsync(cancel);
        CheckOrders? orders = _envelope.Checks is { } checks && _refusal is null ? await ScreenAsync(checks, cancel) : null;
        if (_rewriter is { } rewriter && _refusal is null) await ReaddressAsync(rewriter, cancel);
        if (_refusal is { } refusal)
        {
            _transport.Services.Log.Refused(_envelope.Id, _envelope.Client.Session, _envelope.From, refusal);
            _transport.NoteRefusal(_envelope, null, refusal);
            return ToAll(refusal);
        }
        if (orders?.DiscardReason is { } reason)
        {
            _transport.Services.Log.Discarded(_envelope.Id, _envelope.From, reason);
            Tell(Accepted(null), $"discarded: {reason}");
            return ToAll(Replies.Queued(_envelope.Id));
        }
        await MakeReadableAsync(cancel);
        _transport.Services.Log.Accepted(_envelope.Id, _envelope.Client.Session, _envelope.From, _received, _envelope.Recipients.Count);
        if (orders?.HoldReason is { } hold) _transport.Services.Log.Held(_envelope.Id, _from, hold);
        AcceptedMessage accepted = Accepted(orders?.HoldReason);
        Tell(accepted, orders?.HoldReason is { } why ? $"held: {why}" : null);
        AcceptOutcome outcome = await _transport.FinishAsync(accepted, cancel);
        if (!outcome.Overall.IsPositive) _transport.NoteRefusal(_envelope, null, outcome.Overall);
        if (_readdressed is not null) return ToAll(outcome.Overall);
        // Copies have no reply of their own.
        return _rewritten is null ? outcome : new(outcome.Overall, [.. outcome.Recipients.Take(_envelope.Recipients.Count)]);
    }

    public ValueTask DisposeAsync() => _sink?.DisposeAsync() ?? ValueTask.CompletedTask;

    private void Tell(AcceptedMessage accepted, string? order)
    {
        if (!_transport.Services.Trace.IsOn) return;
        _transport.Services.Trace.Tell(new TraceEvent.Received(accepted.Message, _envelope.Client, _messageId ?? _header.MessageId));
        if (order is not null) _transport.Services.Trace.Tell(new TraceEvent.Checked(_envelope.Id, "message", "server", order));
    }

    private AcceptOutcome ToAll(SmtpReply reply) => new(reply, [.. Enumerable.Repeat(reply, _envelope.Recipients.Count)]);

    private async ValueTask EndAsync(CancellationToken cancel)
    {
        if (_refusal is not null || !_header.InHeader) return;
        _header.Complete(_scratch);
        await StoreScratchAsync(cancel);
    }

    // The checks see the whole message; what they change is written anew.
    private async ValueTask<CheckOrders?> ScreenAsync(SessionChecks checks, CancellationToken cancel)
    {
        if (_sink is not { } sink) return null;
        CheckOrders orders = checks.Context.Orders;
        int written = orders.Prepended.Count;
        await using MessageDraft draft = new(_envelope, sink, _start, _options.MaxHeaderSize, _transport.Services.Stores);
        _refusal = await checks.MessageAsync(draft, cancel);
        if (_refusal is not null) return orders;
        if (draft.IsRewritten || orders.Prepended.Count > written) await RewriteAsync(draft, sink, cancel);
        _from = draft.From;
        if (orders.RedirectTo is { } to) _readdressed = [new(to, DsnNotify.Unspecified, null)];
        else if (draft.IsReaddressed) _readdressed = draft.Recipients;
        if (_readdressed is not null) _transport.Services.Log.Readdressed(_envelope.Id, _from, string.Join(", ", _readdressed.Select(one => one.Address)));
        if (_readdressed is { Count: 0 }) orders.Discard("a check has taken all recipients out");
        return orders;
    }

    private async ValueTask RewriteAsync(MessageDraft draft, IMessageSink old, CancellationToken cancel)
    {
        (_sink, _eightBitBody, _lines, _header, _messageId) = (null, false, default, new(_options.MaxHeaderSize, null), null);
        await using (old)
        {
            await draft.WriteAsync(bytes => PassAsync(bytes, cancel), cancel);
            await EndAsync(cancel);
            await StoreAsync(default, cancel);
        }
    }

    private async ValueTask ReaddressAsync(AddressRewriter rewriter, CancellationToken cancel)
    {
        (_from, _rewritten) = await rewriter.EnvelopeAsync(_from, _readdressed ?? [.. _envelope.Recipients], cancel);
        if (rewriter.Failure is not { } why) return;
        _transport.Services.Log.TableUnavailable(_envelope.Id, why);
        _refusal = Replies.TableUnavailable;
    }

    private static bool WantsHeaders(ClientContext client, HeaderRewriting whose) => whose switch
    {
        HeaderRewriting.None => false,
        HeaderRewriting.Local => client.Role != ListenerRole.Lmtp && System.Net.IPAddress.IsLoopback(client.Address),
        HeaderRewriting.Ours => client.Role != ListenerRole.Lmtp && (client.Account is not null || client.IsTrusted || System.Net.IPAddress.IsLoopback(client.Address)),
        _ => true,
    };

    private async ValueTask<SmtpReply?> CheckHeaderAsync(CancellationToken cancel)
    {
        ClientContext client = _envelope.Client;
        if (_options.RefuseSeveralFrom && client.Role == ListenerRole.Mx && _header.FromCount > 1) return Replies.SeveralFrom;
        if (client.Account is not { } account || client.Role == ListenerRole.Lmtp) return null;
        return await FromPolicy.CheckAsync(_header, account, _transport.Rights, cancel);
    }

    // Mailboxes hold what every mail program can read: binary parts become base64 (RFC 3030 section 3). Mail that only goes on stays as it is.
    private async ValueTask MakeReadableAsync(CancellationToken cancel)
    {
        if (_envelope.Body != BodyType.BinaryMime || _sink is not { } sink || !_envelope.Recipients.Any(recipient => _transport.Services.Directory.IsLocalDomain(recipient.Address.Domain))) return;
        if (await Remote.RecodedContent.RecodeAsync(sink.Read, new(WireForm.EightBit), _transport.Services.Stores, cancel) is not { } recoded) return;
        (_sink, _body) = (recoded, BodyType.EightBitMime);
        await sink.DisposeAsync();
    }

    private AcceptedMessage Accepted(string? holdReason)
    {
        ClientContext client = _envelope.Client;
        ContentTraits traits = (_header.HasEightBit ? ContentTraits.EightBitHeader : 0) | (_eightBitBody ? ContentTraits.EightBitBody : 0) | (_header.IsSigned ? ContentTraits.Signed : 0) | (_lines.HasLong ? ContentTraits.LongLine : 0);
        QueueMessage message = new()
        {
            Id = _envelope.Id, Arrived = _now.ToUniversalTime(), From = _from, Origin = MailTransport.OriginOf(client),
            RequiresTls = _envelope.RequiresTls, IsTlsOptional = !_envelope.RequiresTls && _header.SaysTlsOptional, ReleaseAt = _envelope.ReleaseAt, HoldFor = _envelope.HoldFor, HoldReason = holdReason,
            Body = _body, SmtpUtf8 = _envelope.SmtpUtf8, Return = _envelope.Return, EnvelopeId = _envelope.EnvelopeId, By = _envelope.By,
            Traits = traits, Size = _sink?.Length ?? 0, Recipients = _rewritten ?? _readdressed ?? [.. _envelope.Recipients],
        };
        return new()
        {
            Message = message,
            Content = _sink ?? _transport.Services.Stores.CreateSink(),
            Client = client,
            RepliesSeparately = client.Role == ListenerRole.Lmtp && _readdressed is null,
            Copies = _readdressed is null ? message.Recipients.Count - _envelope.Recipients.Count : 0,
            QuotaIsPermanent = _options.QuotaIsPermanent || client.Account is not null,
            // What a user or a trusted host sends again on purpose is no loop.
            DeliveredTo = client.Role == ListenerRole.Mx && client.Account is null && !client.IsTrusted ? _header.DeliveredTo : [],
        };
    }

    private void AddMissingFields(HeaderScanner header, IBufferWriter<byte> output)
    {
        StringBuilder fields = new();
        if (!header.HasDate) fields.Append("Date: ").Append(ReceivedLine.Date(_now)).Append("\r\n");
        if (!header.HasMessageId)
        {
            string id = $"<{_envelope.Id}@{_options.Hostname}>";
            fields.Append("Message-ID: ").Append(id).Append("\r\n");
            _messageId = Encoding.UTF8.GetBytes(id);
        }
        if (header.FromCount == 0 && Author() is { } author) fields.Append("From: ").Append(author).Append("\r\n");
        output.Write(Encoding.UTF8.GetBytes(fields.ToString()));
    }

    private EmailAddress? Author() => !_envelope.From.IsNull ? _envelope.From.Address : _envelope.Client.Account?.Address;

    private ValueTask StoreScratchAsync(CancellationToken cancel)
    {
        if (_scratch.WrittenCount == 0) return ValueTask.CompletedTask;
        return StoreAndClearAsync(cancel);
    }

    private async ValueTask StoreAndClearAsync(CancellationToken cancel)
    {
        await StoreAsync(_scratch.WrittenMemory, cancel);
        _scratch.ResetWrittenCount();
    }

    private async ValueTask StoreAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        if (_refusal is not null) return;
        try
        {
            if (_sink is null)
            {
                _sink = _transport.Services.Stores.CreateSink();
                if (_envelope.Checks?.Context.Orders is { Prepended.Count: > 0 } orders)
                    foreach (string field in orders.Prepended) await _sink.WriteAsync(Encoding.UTF8.GetBytes(field + "\r\n"), cancel);
                await _sink.WriteAsync(ReceivedLine.Write(_envelope, _options, _now), cancel);
                _start = _sink.Length;
            }
            if (bytes.Length > 0) await _sink.WriteAsync(bytes, cancel);
        }
        catch (IOException e)
        {
            _transport.Services.Log.NotStored(e, _envelope.Id);
            _refusal = Replies.NoSpace;
        }
    }

    private static bool IsSubmission(ClientContext client) => client.Role == ListenerRole.Submission || client.Account is not null;
}
