using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Posthorn.Mime;
using Posthorn.Transport.Rewriting;

namespace Posthorn.Sendmail;

/// <summary>Who sends, and what a message lacks.</summary>
/// <param name="Address">The sender's address for From; null adds none.</param>
/// <param name="Domain">The domain of bare names.</param>
/// <param name="FullName">His name; empty for none.</param>
/// <param name="MessageId">The id for Message-ID, without its angle brackets.</param>
/// <param name="Date">The time of Date.</param>
internal sealed record LocalAuthor(string? Address, string Domain, string FullName, string MessageId, DateTimeOffset Date);

/// <summary>A message from a local program: its header is read and completed, its body streams.</summary>
internal sealed class LocalMessage
{
    /// <summary>The longest header, octets; the server's limit too.</summary>
    private const int MaxHeader = 1 << 20;

    private readonly Stream _input;
    private readonly bool _dotIsText;
    private readonly byte[] _header;
    private readonly byte[] _rest;

    private LocalMessage(Stream input, bool dotIsText, byte[] header, byte[] rest) => (_input, _dotIsText, _header, _rest) = (input, dotIsText, header, rest);

    /// <summary>Reads as far as the header goes; null when it is over the limit.</summary>
    public static async ValueTask<LocalMessage?> ReadAsync(Stream input, bool dotIsText, CancellationToken cancel)
    {
        ArrayBufferWriter<byte> start = new(8192);
        int end;
        while ((end = EndOfHeader(start.WrittenSpan, dotIsText)) < 0)
        {
            if (start.WrittenCount > MaxHeader) return null;
            int read = await input.ReadAsync(start.GetMemory(4096), cancel);
            if (read == 0)
            {
                end = start.WrittenCount;
                break;
            }
            start.Advance(read);
        }
        byte[] header = start.WrittenSpan[..end].ToArray(), rest = start.WrittenSpan[end..].ToArray();
        // An mbox's line of the envelope is no field.
        if (header.AsSpan().StartsWith("From "u8)) header = header[(Array.IndexOf(header, (byte)'\n') + 1)..];
        return new(input, dotIsText, header, rest);
    }

    /// <summary>The recipients that the header names: of the Resent fields where there are any (RFC 5322 section 3.6.6).</summary>
    public IReadOnlyList<string> Recipients()
    {
        List<string> plain = [], resent = [];
        HeaderReader reader = new(_header);
        while (reader.MoveNext())
        {
            HeaderField field = reader.Current;
            if (field.Is("To"u8) || field.Is("Cc"u8) || field.Is("Bcc"u8)) Add(plain, field);
            else if (field.Is("Resent-To"u8) || field.Is("Resent-Cc"u8) || field.Is("Resent-Bcc"u8)) Add(resent, field);
        }
        return resent.Count > 0 ? resent : plain;

        static void Add(List<string> to, HeaderField field)
        {
            foreach (MailAddress address in AddressList.Parse(field.RawValue, MimeLimits.Default))
            {
                if (address.Mailbox.Length == 0) continue;
                string text = address.TryGetEmailAddress(out Posthorn.Core.EmailAddress known) ? known.ToString() : address.Address;
                if (!to.Contains(text, StringComparer.OrdinalIgnoreCase)) to.Add(text);
            }
        }
    }

    /// <summary>What goes out: the header without the fields that are nobody's business, with those that were missing; then the body.</summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ContentAsync(LocalAuthor author, [EnumeratorCancellation] CancellationToken cancel)
    {
        yield return Header(author);
        DotEnd end = new(_dotIsText);
        if (_rest.Length > 0) yield return end.Take(_rest);
        byte[] buffer = new byte[32 * 1024];
        while (!end.IsReached)
        {
            int read = await _input.ReadAsync(buffer, cancel);
            if (read == 0) break;
            yield return end.Take(buffer.AsMemory(0, read));
        }
    }

    private byte[] Header(LocalAuthor author)
    {
        ArrayBufferWriter<byte> output = new(_header.Length + 512);
        bool hasFrom = false, hasDate = false, hasId = false;
        StringBuilder missing = new();
        HeaderReader reader = new(_header);
        while (reader.MoveNext())
        {
            HeaderField field = reader.Current;
            if (field.IsMalformed)
            {
                // The first line that is no field begins the body.
                AddMissing();
                output.Write("\n"u8);
                output.Write(_header.AsSpan(field.Offset));
                return output.WrittenSpan.ToArray();
            }
            // As Postfix's message_drop_headers.
            if (field.Is("Bcc"u8) || field.Is("Resent-Bcc"u8) || field.Is("Return-Path"u8) || field.Is("Content-Length"u8)) continue;
            hasFrom |= field.Is("From"u8);
            hasDate |= field.Is("Date"u8);
            hasId |= field.Is("Message-ID"u8);
            ReadOnlySpan<byte> whole = _header.AsSpan(field.Offset, field.Length);
            string name = Encoding.Latin1.GetString(field.Name);
            if (AddressFields.IsOfSender(name) || AddressFields.IsOfRecipient(name)) BareNames.Complete(whole, field.ValueOffset - field.Offset, author.Domain, output);
            else output.Write(whole);
            if (output.WrittenSpan[^1] != '\n') output.Write("\n"u8);
        }
        AddMissing();
        output.Write("\n"u8);
        return output.WrittenSpan.ToArray();

        void AddMissing()
        {
            if (!hasDate) missing.Append("Date: ").Append(author.Date.ToString("ddd, dd MMM yyyy HH:mm:ss ", CultureInfo.InvariantCulture)).Append(author.Date.ToString("zzz", CultureInfo.InvariantCulture).Replace(":", "", StringComparison.Ordinal)).Append('\n');
            if (!hasId) missing.Append("Message-ID: <").Append(author.MessageId).Append(">\n");
            if (!hasFrom && author.Address is { } address) missing.Append("From: ").Append(Phrase(author.FullName, address)).Append('\n');
            output.Write(Encoding.UTF8.GetBytes(missing.ToString()));
        }
    }

    // "Name" <address>, the name encoded where it is not ASCII (RFC 2047).
    private static string Phrase(string name, string address)
    {
        if (name.Length == 0) return address;
        if (!Ascii.IsValid(name)) return $"=?utf-8?B?{Convert.ToBase64String(Encoding.UTF8.GetBytes(name))}?= <{address}>";
        return $"\"{name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\" <{address}>";
    }

    // Where the blank line ends, or the first line that is no field, or a line of one dot; negative when more must be read.
    private static int EndOfHeader(ReadOnlySpan<byte> text, bool dotIsText)
    {
        int at = 0;
        while (at < text.Length)
        {
            int feed = text[at..].IndexOf((byte)'\n');
            if (feed < 0) return -1;
            ReadOnlySpan<byte> line = text.Slice(at, feed).TrimEnd((byte)'\r');
            if (line.IsEmpty) return at + feed + 1;
            if (!dotIsText && line.SequenceEqual("."u8)) return at;
            bool isField = line[0] is (byte)' ' or (byte)'\t' || line.IndexOf((byte)':') > 0 || at == 0 && line.StartsWith("From "u8);
            if (!isField) return at;
            at += feed + 1;
        }
        return -1;
    }
}

/// <summary>Finds the line of a single dot that ends a message where dots are no text, across pieces; at the end of the input a dot without line end is one too.</summary>
internal sealed class DotEnd(bool dotIsText)
{
    private enum State { LineStart, Dot, DotCr, Text }

    private State _state = State.LineStart;

    public bool IsReached { get; private set; }

    /// <summary>The part of a piece that is text.</summary>
    public ReadOnlyMemory<byte> Take(ReadOnlyMemory<byte> piece)
    {
        if (dotIsText) return piece;
        if (IsReached) return default;
        ArrayBufferWriter<byte> output = new(piece.Length + 2);
        ReadOnlySpan<byte> bytes = piece.Span;
        foreach (byte b in bytes)
        {
            switch (_state)
            {
                case State.LineStart when b == '.': _state = State.Dot; continue;
                case State.Dot when b == '\r': _state = State.DotCr; continue;
                case State.Dot or State.DotCr when b == '\n':
                    IsReached = true;
                    return output.WrittenMemory;
                case State.Dot or State.DotCr: Release(output); break;
            }
            output.GetSpan(1)[0] = b;
            output.Advance(1);
            _state = b == '\n' ? State.LineStart : State.Text;
        }
        return output.WrittenMemory;
    }

    private void Release(ArrayBufferWriter<byte> output)
    {
        output.Write(_state == State.DotCr ? ".\r"u8 : "."u8);
        _state = State.Text;
    }
}
