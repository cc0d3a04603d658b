using System.Buffers;

namespace Posthorn.Mime;

/// <summary>Writes a header's ENVELOPE as IMAP sends it (RFC 9051 section 7.5.2, legal under RFC 3501 as well).</summary>
/// <remarks>Bytes above 127 go out as they are, in literals, which every client must take. Repeated address fields are joined; of repeated others the first counts.</remarks>
public static class EnvelopeWriter
{
    // Field occurrences that are remembered; real headers have ten.
    private const int MaxSlots = 64;

    // What an address lacks, in the words that clients know from Dovecot: an empty or NIL host would read as a group mark.
    /// <summary>Whether a part of an address stands there for one that the message lacks.</summary>
    public static bool IsMissing(ReadOnlySpan<byte> part) => part.SequenceEqual(MissingMailbox) || part.SequenceEqual(MissingHost);

    private static ReadOnlySpan<byte> MissingMailbox => "MISSING_MAILBOX"u8;
    private static ReadOnlySpan<byte> MissingHost => "MISSING_DOMAIN"u8;

    private enum Field : byte { None, Date, Subject, From, Sender, ReplyTo, To, Cc, Bcc, InReplyTo, MessageId }

    private struct Slot
    {
        public Field Field;
        public int Start, Length;
    }

    /// <summary>Writes <c>(date subject from sender reply-to to cc bcc in-reply-to message-id)</c>.</summary>
    public static void Write(ReadOnlySpan<byte> header, MimeLimits limits, IBufferWriter<byte> output)
    {
        ByteScratch scratch = new(stackalloc byte[1024]);
        Write(header, limits, limits.Room(header.Length), ref scratch);
        output.Write(scratch.Written);
        scratch.Dispose();
    }

    /// <summary>As above, in at most so many octets, apart from the NILs of what does not fit.</summary>
    internal static void Write(scoped ReadOnlySpan<byte> header, MimeLimits limits, int room, ref ByteScratch output)
    {
        Span<Slot> slots = stackalloc Slot[MaxSlots];
        slots = slots[..Collect(header, limits, slots)];
        int end = output.Length + room;
        // What comes behind the addresses is kept a place; the authors are written three times.
        int addressEnd = end - (room / 4), fromRoom = room / 8;
        output.Append((byte)'(');
        Text(ref output, header, slots, Field.Date, end, limits);
        output.Append((byte)' ');
        Text(ref output, header, slots, Field.Subject, end, limits);
        output.Append((byte)' ');
        int from = output.Length;
        _ = Addresses(ref output, header, slots, Field.From, from + fromRoom, limits);
        int fromEnd = output.Length;
        for (Field field = Field.Sender; field <= Field.Bcc; field++)
        {
            output.Append((byte)' ');
            int start = output.Length;
            bool copied = field <= Field.ReplyTo;
            if (Addresses(ref output, header, slots, field, copied ? start + fromRoom : addressEnd, limits) || !copied) continue;
            output.Truncate(start);
            output.AppendCopy(from, fromEnd - from);
        }
        output.Append((byte)' ');
        Text(ref output, header, slots, Field.InReplyTo, end, limits);
        output.Append((byte)' ');
        Text(ref output, header, slots, Field.MessageId, end, limits);
        output.Append((byte)')');
    }

    private static int Collect(ReadOnlySpan<byte> header, MimeLimits limits, Span<Slot> slots)
    {
        HeaderReader reader = new(header);
        int count = 0, fields = 0;
        while (count < slots.Length && reader.MoveNext() && ++fields <= limits.MaxHeaderFields && reader.Position <= limits.MaxHeaderBytes)
        {
            HeaderField field = reader.Current;
            Field kind = Kind(field.Name);
            if (kind == Field.None) continue;
            slots[count++] = new() { Field = kind, Start = field.ValueOffset, Length = field.RawValue.Length };
        }
        return count;
    }

    private static Field Kind(ReadOnlySpan<byte> name) => name.Length switch
    {
        2 when Octets.Is(name, "to"u8) => Field.To,
        2 when Octets.Is(name, "cc"u8) => Field.Cc,
        3 when Octets.Is(name, "bcc"u8) => Field.Bcc,
        4 when Octets.Is(name, "from"u8) => Field.From,
        4 when Octets.Is(name, "date"u8) => Field.Date,
        6 when Octets.Is(name, "sender"u8) => Field.Sender,
        7 when Octets.Is(name, "subject"u8) => Field.Subject,
        8 when Octets.Is(name, "reply-to"u8) => Field.ReplyTo,
        10 when Octets.Is(name, "message-id"u8) => Field.MessageId,
        11 when Octets.Is(name, "in-reply-to"u8) => Field.InReplyTo,
        _ => Field.None,
    };

    private static void Text(ref ByteScratch output, scoped ReadOnlySpan<byte> header, scoped ReadOnlySpan<Slot> slots, Field field, int end, MimeLimits limits)
    {
        foreach (ref readonly Slot slot in slots)
        {
            if (slot.Field != field) continue;
            int start = output.Length;
            WireText.Unstructured(ref output, header.Slice(slot.Start, slot.Length), limits);
            if (output.Length <= end) return;
            output.Truncate(start);
            break;
        }
        WireText.Nil(ref output);
    }

    // False, with NIL written, if there is no address at all.
    private static bool Addresses(ref ByteScratch output, scoped ReadOnlySpan<byte> header, scoped ReadOnlySpan<Slot> slots, Field field, int end, MimeLimits limits)
    {
        int left = limits.MaxAddresses;
        bool any = false, full = false;
        Span<byte> first = stackalloc byte[256];
        foreach (ref readonly Slot slot in slots)
        {
            if (slot.Field != field || full) continue;
            AddressReader reader = new(header.Slice(slot.Start, slot.Length), first, left);
            bool open = false;
            while (!full && reader.MoveNext())
            {
                left--;
                int start = output.Length;
                if (!any) output.Append((byte)'(');
                Address(ref output, reader);
                full = output.Length > end;
                if (full) output.Truncate(start);
                else (any, open) = (true, reader.InGroup);
            }
            reader.Dispose();
            // A limit cut a group: its end is still said.
            if (open) output.Append("(NIL NIL NIL NIL)"u8);
        }
        if (any) output.Append((byte)')');
        else WireText.Nil(ref output);
        return any;
    }

    private static void Address(ref ByteScratch output, scoped AddressReader address)
    {
        if (address.Token == AddressToken.GroupEnd)
        {
            output.Append("(NIL NIL NIL NIL)"u8);
            return;
        }
        if (address.Token == AddressToken.GroupStart)
        {
            output.Append("(NIL NIL "u8);
            WireText.String(ref output, address.Name);
            output.Append(" NIL)"u8);
            return;
        }
        output.Append((byte)'(');
        Part(ref output, address.Name);
        output.Append((byte)' ');
        Part(ref output, address.Route);
        output.Append((byte)' ');
        WireText.String(ref output, address.LocalPart.IsEmpty ? MissingMailbox : address.LocalPart);
        output.Append((byte)' ');
        WireText.String(ref output, address.Host.IsEmpty ? MissingHost : address.Host);
        output.Append((byte)')');
    }

    private static void Part(ref ByteScratch output, scoped ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) WireText.Nil(ref output);
        else WireText.String(ref output, text);
    }
}
