using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Posthorn.Core;

namespace Posthorn.Transport.Trace;

/// <summary>Writes steps as lines: one JSON object each. <c>docs/formats.md</c> has the names.</summary>
internal sealed class TraceFormat(TraceRedactor redactor) : IDisposable
{
    public const int Version = 1;

    /// <summary>Text of others that is kept of one reply or remark.</summary>
    private const int MaxText = 500;

    /// <summary>A Message-ID beyond this is nobody's search.</summary>
    private const int MaxMessageId = 250;

    private readonly Utf8JsonWriter _json = new(Stream.Null, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
    private readonly List<ulong> _keys = [];
    private IReadOnlyList<string> _names = [];

    public void Dispose() => _json.Dispose();

    /// <summary>The keys of the line that was written last.</summary>
    public IReadOnlyList<ulong> Keys => _keys;

    /// <summary>The first line of a file.</summary>
    public static byte[] Head(DateTimeOffset time) => Encoding.UTF8.GetBytes($"{{\"format\":\"posthorn-trace\",\"version\":{Version},\"time\":\"{time.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'}\"}}\n");

    /// <summary>The line that tells of steps that could not be kept.</summary>
    public void WriteLost(DateTimeOffset time, long count, IBufferWriter<byte> output)
    {
        Begin(time, "lost", null, output);
        _json.WriteNumber("count", count);
        End(output);
        _keys.Add(TraceKeys.Lost);
    }

    public void Write(DateTimeOffset time, TraceEvent step, IBufferWriter<byte> output)
    {
        _names = step.Names;
        switch (step)
        {
            case TraceEvent.Refused refused: Refused(time, refused, output); break;
            case TraceEvent.BrokenOff broken:
                Begin(time, "broken-off", step.Id, output);
                Path(broken.From);
                Addresses("to", broken.To);
                _json.WriteNumber("octets", broken.Octets);
                Client(broken.Client);
                break;
            case TraceEvent.Received received: Received(time, received, output); break;
            case TraceEvent.Checked remark:
                Begin(time, "checked", step.Id, output);
                _json.WriteString("stage", remark.Stage);
                _json.WriteString("by", remark.By);
                Text("text", remark.Text);
                break;
            case TraceEvent.Expanded alias:
                Begin(time, "alias", step.Id, output);
                Address("address", alias.Address);
                Addresses("targets", alias.Targets);
                break;
            case TraceEvent.Filtered filtered:
                Begin(time, "sieve", step.Id, output);
                Address("account", filtered.Account);
                Text("actions", filtered.Actions);
                _json.WriteString("status", filtered.Status);
                break;
            case TraceEvent.Recorded recorded: Recorded(time, recorded, output); break;
            case TraceEvent.Contacted contacted:
                Begin(time, contacted.Fault is null ? "connected" : "unreachable", step.Id, output);
                _json.WriteString("host", contacted.Host);
                if (contacted.Tls is { } tls) _json.WriteString("tls", tls);
                if (contacted.Fault is { } fault) Text("reply", fault.ToString());
                break;
            case TraceEvent.Attempted attempt:
                Begin(time, attempt.Status, step.Id, output);
                Address("to", attempt.To, isKey: false);
                if (attempt.Host.Length > 0) _json.WriteString("host", attempt.Host);
                Text("reply", attempt.Reply.ToString());
                break;
            case TraceEvent.Reported report:
                Begin(time, "report", step.Id, output);
                _json.WriteString("report", report.Report.Value);
                _json.WriteString("kind", report.What);
                Address("to", report.To, isKey: false);
                Text("reply", report.Reply.ToString());
                _keys.Add(TraceKeys.Id(report.Report.Value));
                break;
            case TraceEvent.Ordered order:
                Begin(time, "order", step.Id, output);
                _json.WriteString("order", order.Order);
                break;
            default: throw new System.Diagnostics.UnreachableException();
        }
        End(output);
    }

    private void Refused(DateTimeOffset time, TraceEvent.Refused refused, IBufferWriter<byte> output)
    {
        Begin(time, "refused", refused.Id, output);
        Path(refused.From);
        if (refused.To is { } to) Address("to", to);
        if (refused.Client is { } client) Client(client);
        Text("reply", refused.Reply.ToString());
    }

    private void Received(DateTimeOffset time, TraceEvent.Received received, IBufferWriter<byte> output)
    {
        Begin(time, "received", received.Id, output);
        string id = MessageIdOf(received.MessageId.Span);
        if (id.Length > 0)
        {
            _json.WriteString("messageId", id);
            _keys.Add(TraceKeys.MessageId(id));
        }
        Path(received.Message.From);
        Addresses("to", received.Message.Recipients.Select(recipient => recipient.Address));
        _json.WriteNumber("size", received.Message.Size);
        if (received.Client is { } client) Client(client);
    }

    private void Recorded(DateTimeOffset time, TraceEvent.Recorded recorded, IBufferWriter<byte> output)
    {
        Begin(time, "stored", recorded.Id, output);
        _json.WriteNumber("lsn", recorded.Record);
        _json.WriteStartArray("copies");
        foreach (StoredCopy copy in recorded.Copies)
        {
            _json.WriteStartObject();
            Address("to", copy.To, isKey: false);
            Address("account", copy.Account);
            _json.WriteString("mailbox", copy.Mailbox.ToString());
            if (copy.Uid is { } uid) _json.WriteNumber("uid", uid.Value);
            if (copy.Refusal is { } refusal) Text("refusal", refusal);
            _json.WriteEndObject();
        }
        _json.WriteEndArray();
        _json.WriteStartArray("queued");
        foreach (QueuedPart part in recorded.Queued)
        {
            _json.WriteStartObject();
            _json.WriteString("id", part.Id.Value);
            _json.WriteString("what", part.What);
            Addresses("to", part.To);
            _json.WriteEndObject();
            if (part.Id != recorded.Id) _keys.Add(TraceKeys.Id(part.Id.Value));
        }
        _json.WriteEndArray();
    }

    private void Client(ClientContext client)
    {
        _json.WriteStartObject("client");
        _json.WriteString("address", client.IsAddressKnown ? redactor.Client(client.Address) : "unknown");
        if (redactor.Name(client.Helo) is { Length: > 0 } helo) Text("helo", helo);
        _json.WriteString("listener", client.Listener);
        _json.WriteString("session", client.Session.Value);
        if (client.Tls is { } tls) _json.WriteString("tls", $"{tls.Version} {tls.Cipher}");
        if (client.Account is { } account) Address("login", account.Address);
        if (client.Mechanism is { } mechanism) _json.WriteString("mechanism", mechanism);
        _json.WriteEndObject();
        if (client.Forwarded is { } forwarded) Forwarded(forwarded);
    }

    private void Forwarded(ForwardedClient client)
    {
        _json.WriteStartObject("forwarded");
        if (client.Address is { } address) _json.WriteString("address", redactor.Client(address));
        if (client.Name is { } name && redactor.Name(name) is { Length: > 0 } shown) Text("name", shown);
        if (client.Helo is { } helo && redactor.Name(helo) is { Length: > 0 } said) Text("helo", said);
        if (client.Ident is { } ident) Text("ident", ident);
        _json.WriteEndObject();
    }

    private void Begin(DateTimeOffset time, string what, QueueId? id, IBufferWriter<byte> output)
    {
        _keys.Clear();
        _json.Reset(output);
        _json.WriteStartObject();
        _json.WriteString("time", time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture));
        _json.WriteString("event", what);
        if (id is not { } known) return;
        _json.WriteString("id", known.Value);
        _keys.Add(TraceKeys.Id(known.Value));
    }

    private void End(IBufferWriter<byte> output)
    {
        _json.WriteEndObject();
        _json.Flush();
        output.Write("\n"u8);
    }

    private void Path(ReversePath from)
    {
        if (from.IsNull) _json.WriteString("from", "");
        else Address("from", from.Address);
    }

    private void Address(string name, EmailAddress address, bool isKey = true)
    {
        string text = redactor.Address(address.ToString());
        _json.WriteString(name, text);
        if (isKey) Key(text);
    }

    private void Addresses(string name, IEnumerable<EmailAddress> addresses)
    {
        _json.WriteStartArray(name);
        foreach (EmailAddress address in addresses)
        {
            string text = redactor.Address(address.ToString());
            _json.WriteStringValue(text);
            Key(text);
        }
        _json.WriteEndArray();
    }

    private void Key(string address)
    {
        ulong key = TraceKeys.Address(address);
        if (_keys.Count > 64 || !_keys.Contains(key)) _keys.Add(key); // twice is no harm
    }

    private void Text(string name, string text)
    {
        string shown = redactor.Text(text, _names);
        _json.WriteString(name, shown.Length > MaxText ? shown[..MaxText] : shown);
    }

    // The id alone, without brackets, comments and folds.
    private static string MessageIdOf(ReadOnlySpan<byte> field)
    {
        string text = Encoding.UTF8.GetString(field).Trim();
        int start = text.IndexOf('<', StringComparison.Ordinal), end = text.IndexOf('>', StringComparison.Ordinal);
        if (start >= 0 && end > start) text = text[(start + 1)..end];
        text = text.Trim();
        return text.Length <= MaxMessageId && !text.Any(char.IsControl) ? text : "";
    }
}
