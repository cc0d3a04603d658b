using System.Buffers;
using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Transport.Policy;

/// <summary>A whole message before its answer: checks read it and may change header, body and envelope. Our own trace lines are not part of it.</summary>
/// <remarks>What is not touched costs nothing: the header is parsed when it is first asked for, and the message written anew only when something changed.</remarks>
public sealed class MessageDraft : IAsyncDisposable
{
    private const int Piece = 32 * 1024;

    private readonly IMailStores _stores;
    private readonly IMessageSink _content;
    private readonly long _start;
    private readonly int _maxHeader;
    private List<HeaderField>? _fields;
    private long _bodyAt = -1;
    private bool _hasBlank;
    private IMessageSink? _body;
    private List<EnvelopeRecipient>? _recipients;
    private ReversePath? _from;

    /// <param name="envelope">The transaction.</param>
    /// <param name="content">The message as taken in; it stays the caller's.</param>
    /// <param name="start">Where in it the client's part begins.</param>
    /// <param name="maxHeader">The longest header, octets.</param>
    /// <param name="stores">Where a new body is written.</param>
    internal MessageDraft(Envelope envelope, IMessageSink content, long start, int maxHeader, IMailStores stores) =>
        (Envelope, _content, _start, _maxHeader, _stores) = (envelope, content, start, maxHeader, stores);

    /// <summary>When the first filter was shown the message; null before.</summary>
    internal long? FilteredSince { get; set; }

    /// <summary>The transaction as it came.</summary>
    public Envelope Envelope { get; }

    /// <summary>The sender as it is now.</summary>
    public ReversePath From => _from ?? Envelope.From;

    /// <summary>The recipients as they are now; may be empty.</summary>
    public IReadOnlyList<EnvelopeRecipient> Recipients => _recipients ?? [.. Envelope.Recipients];

    /// <summary>The fields of the header as they are now, in order.</summary>
    public IReadOnlyList<HeaderField> Fields => Parsed();

    /// <summary>Octets of the body as it is now.</summary>
    public long BodyLength => _body?.Length ?? _content.Length - BodyAt;

    /// <summary>Octets of the message as it came.</summary>
    public long Size => _content.Length - _start;

    /// <summary>Header or body have been changed.</summary>
    internal bool IsRewritten { get; private set; }

    /// <summary>Sender or recipients have been changed.</summary>
    internal bool IsReaddressed => _from is not null || _recipients is not null;

    private long BodyAt
    {
        get
        {
            Parsed();
            return _bodyAt;
        }
    }

    /// <summary>Reads the body as it is now; the number of octets read, 0 at the end.</summary>
    public int ReadBody(long offset, Span<byte> into) => _body is { } body ? body.Read(offset, into) : _content.Read(BodyAt + offset, into);

    /// <summary>Puts a field at a place among the fields; behind all of them when the place is beyond them.</summary>
    public void Insert(int at, HeaderField field)
    {
        Parsed().Insert(Math.Clamp(at, 0, _fields!.Count), field);
        IsRewritten = true;
    }

    /// <summary>Puts another field into a place.</summary>
    public void Replace(int at, HeaderField field)
    {
        Parsed()[at] = field;
        IsRewritten = true;
    }

    /// <summary>Takes a field out.</summary>
    public void Remove(int at)
    {
        Parsed().RemoveAt(at);
        IsRewritten = true;
    }

    /// <summary>Begins a new body in place of the old one; what is written with <see cref="WriteBodyAsync"/> becomes it.</summary>
    public async ValueTask ClearBodyAsync()
    {
        Parsed();
        if (_body is not null) await _body.DisposeAsync();
        _body = _stores.CreateSink();
        IsRewritten = true;
    }

    /// <summary>Writes on at the new body.</summary>
    public ValueTask WriteBodyAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel) =>
        _body is { } body ? body.WriteAsync(bytes, cancel) : throw new InvalidOperationException("There is no new body yet.");

    /// <summary>Changes the envelope's sender.</summary>
    public void ChangeSender(ReversePath from) => _from = from;

    /// <summary>Adds a recipient, unless it is there.</summary>
    public void AddRecipient(EnvelopeRecipient recipient)
    {
        _recipients ??= [.. Envelope.Recipients];
        if (!_recipients.Exists(one => one.Address == recipient.Address)) _recipients.Add(recipient);
    }

    /// <summary>Takes a recipient out.</summary>
    public void RemoveRecipient(EmailAddress address)
    {
        _recipients ??= [.. Envelope.Recipients];
        _recipients.RemoveAll(one => one.Address == address);
    }

    public ValueTask DisposeAsync() => _body?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>Writes the message as it is now, piece by piece.</summary>
    internal async ValueTask WriteAsync(Func<ReadOnlyMemory<byte>, ValueTask> write, CancellationToken cancel)
    {
        foreach (HeaderField field in Parsed()) await write(field.Raw);
        if (_hasBlank || BodyLength > 0) await write("\r\n"u8.ToArray());
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Piece);
        try
        {
            for (long at = 0; at < BodyLength;)
            {
                cancel.ThrowIfCancellationRequested();
                int read = ReadBody(at, buffer.AsSpan(0, Piece));
                if (read == 0) throw new IOException("The body of a message ends early.");
                await write(buffer.AsMemory(0, read));
                at += read;
            }
        }
        finally { ArrayPool<byte>.Shared.Return(buffer); }
    }

    private List<HeaderField> Parsed()
    {
        if (_fields is not null) return _fields;
        byte[] head = ReadHead(out int length, out int blank);
        _hasBlank = blank > 0;
        _bodyAt = _start + length + blank;
        byte[] header = head[..length];
        if (length > 0 && header[^1] != '\n') header = [.. header, (byte)'\r', (byte)'\n']; // a message that ended within a field
        return _fields = HeaderField.Parse(header);
    }

    // The header, and the length of the blank line behind it: 0 when the message ended before.
    private byte[] ReadHead(out int length, out int blank)
    {
        byte[] head = [];
        while (true)
        {
            int before = head.Length, grown = Math.Max(Piece, before * 2);
            Array.Resize(ref head, grown);
            int read = ReadFully(_start + before, head.AsSpan(before));
            Array.Resize(ref head, before + read);
            if (FindBlank(head) is { } found)
            {
                (length, blank) = found;
                return head;
            }
            if (before + read < grown || head.Length > _maxHeader + Piece) break;
        }
        (length, blank) = (head.Length, 0);
        return head;
    }

    private int ReadFully(long offset, Span<byte> into)
    {
        int done = 0;
        while (done < into.Length && _content.Read(offset + done, into[done..]) is > 0 and int read) done += read;
        return done;
    }

    private static (int Length, int Blank)? FindBlank(ReadOnlySpan<byte> head)
    {
        for (int at = 0; at < head.Length;)
        {
            if (head[at] == '\n') return (at, 1);
            if (head[at] == '\r' && at + 1 < head.Length && head[at + 1] == '\n') return (at, 2);
            int newline = head[at..].IndexOf((byte)'\n');
            if (newline < 0) return null;
            at += newline + 1;
        }
        return null;
    }
}
