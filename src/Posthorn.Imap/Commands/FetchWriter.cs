using System.Buffers;
using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Mime;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>Writes the FETCH responses of one command. Text of summaries goes out as it is kept; content is copied in pieces from the store to the connection.</summary>
internal sealed class FetchWriter
{
    /// <summary>Octets of content written at once; the output is flushed between.</summary>
    private const int Piece = 32 * 1024;

    /// <summary>Decoded parts up to here are held while they are written; larger ones are decoded in pieces.</summary>
    private const int MaxHeld = 256 * 1024;

    /// <summary>What goes out for NUL, which no literal but literal8 may hold; one octet, so that sizes hold (RFC 9051 section 4.3.1). BINARY gives it as it is.</summary>
    private const byte NulReplacement = 0x80;

    private readonly ImapSession _session;
    private readonly SelectedMailbox _box;
    private readonly List<FetchItem> _items;
    private readonly SummaryFields _fields;
    private readonly bool _readsContent, _asksFlags, _asksModSeq, _asksUid;
    private ArrayBufferWriter<byte>? _picked;

    public FetchWriter(ImapSession session, SelectedMailbox box, List<FetchItem> items)
    {
        (_session, _box, _items) = (session, box, items);
        foreach (FetchItem item in items)
        {
            _fields |= item.Needs;
            _readsContent |= item is FetchItem.Section or FetchItem.Binary;
        }
        (_asksFlags, _asksModSeq, _asksUid) = (items.Contains(FetchItems.Flags), items.Contains(FetchItems.ModSeq), items.Contains(FetchItems.Uid));
    }

    /// <summary>UIDs, in order, that were marked seen just before: their flags are told in the same response.</summary>
    public IReadOnlyList<Uid> NowSeen { get; set; } = [];

    private ImapOutput Out => _session.Out;

    /// <summary>Writes a response for each message; false when some were gone.</summary>
    public async ValueTask<bool> WriteAsync(List<PositionRange> positions, CancellationToken cancel)
    {
        if (_fields != SummaryFields.None) return await WriteWithSummariesAsync(positions, cancel);
        bool complete = true;
        foreach (PositionRange range in positions)
        {
            for (int i = range.First; i < range.End; i++)
            {
                if (_readsContent) complete &= await WriteContentAsync(i, null, cancel);
                else WriteRow(i, null);
                if (Out.IsLarge) await _session.FlushAsync(cancel);
            }
        }
        return complete;
    }

    private async ValueTask<bool> WriteWithSummariesAsync(List<PositionRange> positions, CancellationToken cancel)
    {
        Uid[] uids = _box.UidsOf(positions);
        int written = 0, position = 0, next = 0;
        List<Uid> missing = [];
        await foreach (MessageSummary summary in _session.Store.SummariesAsync(_box.Id, uids, _fields, cancel))
        {
            while (next < uids.Length && uids[next] != summary.Uid) missing.Add(uids[next++]);
            next++;
            // Summaries come in the order asked, so the next is usually the next in the view.
            position = position + 1 < _box.Count && _box.View[position + 1].Uid == summary.Uid ? position + 1 : _box.View.IndexOf(summary.Uid);
            if (position < 0) continue;
            if (_readsContent || WholeMessage.Lacks(summary, _fields))
            {
                if (await WriteContentAsync(position, summary, cancel)) written++;
            }
            else
            {
                WriteRow(position, summary);
                written++;
            }
            if (Out.IsLarge) await _session.FlushAsync(cancel);
        }
        while (next < uids.Length) missing.Add(uids[next++]);
        // What another session expunged has no summary any more, but its content while somebody has not heard of that.
        if ((_fields & (SummaryFields.Ids | SummaryFields.SaveDate)) == 0)
            foreach (Uid uid in missing)
                if (await WriteContentAsync(_box.View.IndexOf(uid), new MessageSummary(uid), cancel)) written++;
        return written == uids.Length;
    }

    private void WriteRow(int position, MessageSummary? summary)
    {
        MessageRow row = Begin(position);
        bool first = true;
        foreach (FetchItem item in _items) WriteSimple(((FetchItem.Simple)item).Item, row, summary, ref first);
        End(position, row, first);
    }

    private async ValueTask<bool> WriteContentAsync(int position, MessageSummary? summary, CancellationToken cancel)
    {
        Result<IMessageContent> opened = await _session.Store.OpenContentAsync(_box.Id, _box.View[position].Uid, cancel);
        if (!opened.IsOk) return opened.Refusal.Kind == RefusalKind.Expunged ? false : throw new IOException(opened.Refusal.Text);
        await using IMessageContent content = opened.Value;
        MimeStructure? structure = StructureOf(summary, content);
        if (structure is null && (_fields & SummaryFields.Structure) != 0) structure = await WholeMessage.ParseAsync(_session, content, cancel);
        if (structure is not null && HasUnknownEncoding(structure)) return true;
        if (summary is not null && WholeMessage.Lacks(summary, _fields)) summary = await WholeMessage.CompleteAsync(_session, summary, content, _fields, cancel);
        MessageRow row = Begin(position);
        bool first = true;
        foreach (FetchItem item in _items)
        {
            switch (item)
            {
                case FetchItem.Simple simple:
                    WriteSimple(simple.Item, row, summary, ref first);
                    break;
                case FetchItem.Section section:
                    Gap(ref first);
                    await WriteSectionAsync(section, content, structure, cancel);
                    break;
                case FetchItem.Binary binary:
                    Gap(ref first);
                    await WriteBinaryAsync(binary, content, structure!, cancel);
                    break;
            }
        }
        End(position, row, first);
        return true;
    }

    /// <summary>A part could not be decoded; the whole command is refused then (RFC 3516 section 4.3).</summary>
    public bool MetUnknownEncoding { get; private set; }

    private bool HasUnknownEncoding(MimeStructure structure)
    {
        foreach (FetchItem item in _items)
        {
            if (item is not FetchItem.Binary { Path: var path } || path.Numbers.IsEmpty || path.Text != SectionText.None || !path.TryPart(structure, out MimePart part)) continue;
            MetUnknownEncoding |= part.Kind != PartKind.Multipart && part.Encoding == TransferEncoding.Unknown;
        }
        return MetUnknownEncoding;
    }

    // As the store keeps it, if it does.
    private MimeStructure? StructureOf(MessageSummary? summary, IMessageContent content)
    {
        if ((_fields & SummaryFields.Structure) == 0) return null;
        MimeStructure? kept = summary is { Structure.IsEmpty: false } ? MimeStructure.TryRead(summary.Structure.Span) : null;
        return kept is not null && kept.Length == content.Length ? kept : null;
    }

    private MessageRow Begin(int position)
    {
        MessageRow row = _box.Newest(position);
        _box.TellKeywords(Out);
        if (_session.Mode.UidOnly) Out.Begin(row.Uid.Value, "UIDFETCH ("u8);
        else Out.Begin(position + 1, "FETCH ("u8);
        return row;
    }

    private void End(int position, in MessageRow row, bool first)
    {
        bool seen = IsNowSeen(row.Uid);
        if (seen && !_asksFlags) WriteSimple(SimpleItem.Flags, row, null, ref first);
        // Whoever is told of a change by this is told its MODSEQ, and the UID, as in a response of its own (RFC 7162 section 3.2.4).
        if (_session.Mode.Condstore && (seen || _asksFlags && row.ModSeq != _box.View[position].ModSeq))
        {
            if (!_asksUid && !_session.Mode.UidOnly) WriteSimple(SimpleItem.Uid, row, null, ref first);
            if (!_asksModSeq) WriteSimple(SimpleItem.ModSeq, row, null, ref first);
        }
        Out.Raw(")"u8);
        Out.End();
    }

    private bool IsNowSeen(Uid uid)
    {
        int low = 0, high = NowSeen.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (NowSeen[middle] == uid) return true;
            if (NowSeen[middle] < uid) low = middle + 1;
            else high = middle - 1;
        }
        return false;
    }

    private void WriteSimple(SimpleItem item, in MessageRow row, MessageSummary? summary, ref bool first)
    {
        Gap(ref first);
        switch (item)
        {
            case SimpleItem.Flags:
                Out.Raw("FLAGS "u8);
                Out.Flags(row.Flags, row.Keywords, !_session.Mode.Rev2 && _box.IsRecent(row.Uid));
                _box.ToldAhead(row.Uid, row.ModSeq);
                break;
            case SimpleItem.InternalDate:
                Out.Raw("INTERNALDATE "u8);
                Out.DateTime(row.InternalDate);
                break;
            case SimpleItem.Size: Number("RFC822.SIZE "u8, row.Size, ""u8); break;
            case SimpleItem.Uid: Number("UID "u8, row.Uid.Value, ""u8); break;
            case SimpleItem.ModSeq: Number("MODSEQ ("u8, row.ModSeq.Value, ")"u8); break;
            case SimpleItem.Envelope: Bytes("ENVELOPE "u8, summary!.Envelope); break;
            case SimpleItem.Body: Bytes("BODY "u8, summary!.Body); break;
            case SimpleItem.BodyStructure: Bytes("BODYSTRUCTURE "u8, summary!.BodyStructure); break;
            case SimpleItem.EmailId:
                Out.Raw($"EMAILID ({summary!.EmailId})");
                break;
            case SimpleItem.ThreadId:
                Out.Raw(ThreadIdText.Of(summary!.ThreadId) is { Length: > 0 } thread ? $"THREADID ({thread})" : "THREADID NIL");
                break;
            case SimpleItem.SaveDate:
                Out.Raw("SAVEDATE "u8);
                if (summary!.SaveDate == default) Out.Raw("NIL"u8);
                else Out.DateTime(summary.SaveDate);
                break;
            case SimpleItem.Preview:
                Out.Raw("PREVIEW "u8);
                Out.String(summary!.Preview.Span);
                break;
        }
    }

    private void Number(ReadOnlySpan<byte> before, long number, ReadOnlySpan<byte> after)
    {
        Out.Raw(before);
        Out.Number(number);
        Out.Raw(after);
    }

    private void Bytes(ReadOnlySpan<byte> name, ReadOnlyMemory<byte> value)
    {
        Out.Raw(name);
        Out.Raw(value.Span);
    }

    private void Gap(ref bool first)
    {
        if (!first) Out.Raw(" "u8);
        first = false;
    }

    private async ValueTask WriteSectionAsync(FetchItem.Section section, IMessageContent content, MimeStructure? structure, CancellationToken cancel)
    {
        Out.Raw(section.Label.Span);
        Out.Raw(" "u8);
        (long offset, long length) = (0, content.Length);
        if (structure is not null && !section.Path.Equals(SectionPath.Whole))
        {
            if (!section.Path.TryResolve(structure, out SectionRange range))
            {
                Out.Raw("NIL"u8);
                return;
            }
            (offset, length) = (range.Offset, range.Length);
        }
        if (section.Path.Text is SectionText.HeaderFields or SectionText.HeaderFieldsNot)
        {
            await WritePickedAsync(section, content, offset, length, cancel);
            return;
        }
        (long skip, long count) = Window(section.Partial, length);
        Out.Literal(count);
        await WriteRangeAsync(content, offset + skip, count, cancel);
    }

    private async ValueTask WritePickedAsync(FetchItem.Section section, IMessageContent content, long offset, long length, CancellationToken cancel)
    {
        ReadOnlyMemory<byte> picked = Picked(section.Path, content, offset, length, NulReplacement);
        (long skip, long count) = Window(section.Partial, picked.Length);
        Out.Literal(count);
        await WriteBytesAsync(picked.Slice((int)skip, (int)count), cancel);
    }

    private ReadOnlyMemory<byte> Picked(SectionPath path, IMessageContent content, long offset, long length, byte? nulReplacement)
    {
        _picked ??= new();
        _picked.ResetWrittenCount();
        WholeMessage.Pick(content, offset, length, path, nulReplacement, _picked);
        return _picked.WrittenMemory;
    }

    private async ValueTask WriteBinaryAsync(FetchItem.Binary binary, IMessageContent content, MimeStructure structure, CancellationToken cancel)
    {
        Out.Raw(binary.Label.Span);
        Out.Raw(" "u8);
        bool isPart = binary.Path.Text == SectionText.None;
        MimePart part = default;
        if (isPart && !binary.Path.TryPart(structure, out part) || !binary.Path.TryResolve(structure, out SectionRange range))
        {
            Out.Raw(binary.SizeOnly ? "0"u8 : "NIL"u8);
            return;
        }
        // Decoded text is as long as what was decoded or shorter, and parts are bounded by the largest message.
        TransferEncoding encoding = !isPart || binary.Path.Numbers.IsEmpty || part.Kind is PartKind.Multipart ? TransferEncoding.Binary : part.Encoding;
        bool isPicked = binary.Path.Text is SectionText.HeaderFields or SectionText.HeaderFieldsNot;
        if (!isPicked && range.Length > MaxHeld)
        {
            await WriteLargeBinaryAsync(binary, content, range, encoding, cancel);
            return;
        }
        ReadOnlyMemory<byte> decoded = isPicked ? Picked(binary.Path, content, range.Offset, range.Length, null) : WholeMessage.Decode(content, range.Offset, range.Length, encoding);
        if (binary.SizeOnly)
        {
            Out.Number(decoded.Length);
            return;
        }
        (long skip, long count) = Window(binary.Partial, decoded.Length);
        ReadOnlyMemory<byte> wanted = decoded.Slice((int)skip, (int)count);
        if (wanted.Span.Contains((byte)0)) Out.Raw("~"u8);
        Out.Literal(count);
        await WriteBytesAsync(wanted, cancel);
    }

    // Decoded twice, first for its size: a client that reads slowly, on a hundred connections, must not make us hold it.
    private async ValueTask WriteLargeBinaryAsync(FetchItem.Binary binary, IMessageContent content, SectionRange range, TransferEncoding encoding, CancellationToken cancel)
    {
        (long from, long most) = binary.Partial ?? (0, long.MaxValue);
        long size = 0;
        bool hasNul = false;
        foreach (ReadOnlyMemory<byte> piece in WholeMessage.Pieces(content, range.Offset, range.Length, encoding))
        {
            hasNul |= Within(piece, size, from, most).Span.Contains((byte)0);
            size += piece.Length;
        }
        if (binary.SizeOnly)
        {
            Out.Number(size);
            return;
        }
        (long skip, long count) = Window(binary.Partial, size);
        if (hasNul) Out.Raw("~"u8);
        Out.Literal(count);
        long at = 0;
        foreach (ReadOnlyMemory<byte> piece in WholeMessage.Pieces(content, range.Offset, range.Length, encoding))
        {
            await WriteBytesAsync(Within(piece, at, skip, count), cancel);
            at += piece.Length;
            if (at >= skip + count) break;
        }
    }

    // What of a piece that begins at a place lies in a window.
    private static ReadOnlyMemory<byte> Within(ReadOnlyMemory<byte> piece, long at, long skip, long count)
    {
        long start = Math.Clamp(skip - at, 0, piece.Length);
        long end = count >= long.MaxValue - skip ? piece.Length : Math.Clamp(skip + count - at, start, piece.Length);
        return piece[(int)start..(int)end];
    }

    private static (long Skip, long Count) Window((long Offset, long Count)? partial, long length)
    {
        if (partial is not { } wanted) return (0, length);
        long skip = Math.Min(wanted.Offset, length);
        return (skip, Math.Min(wanted.Count, length - skip));
    }

    private async ValueTask WriteRangeAsync(IMessageContent content, long offset, long count, CancellationToken cancel)
    {
        while (count > 0)
        {
            int wanted = (int)Math.Min(count, Piece);
            Span<byte> piece = Out.GetSpan(wanted)[..wanted];
            int read = content.Read(offset, piece);
            if (read == 0)
            {
                _session.Log.ContentShort(_session.Connection.Session, _session.Account?.ToString() ?? "", _box.Id.ToString(), 0);
                throw new BrokenReplyException("A message is shorter than the store says.");
            }
            piece[..read].Replace((byte)0, NulReplacement);
            Out.Advance(read);
            offset += read;
            count -= read;
            if (Out.IsLarge) await _session.FlushAsync(cancel);
        }
    }

    private async ValueTask WriteBytesAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        while (!bytes.IsEmpty)
        {
            int count = Math.Min(bytes.Length, Piece);
            Out.Raw(bytes.Span[..count]);
            bytes = bytes[count..];
            if (Out.IsLarge) await _session.FlushAsync(cancel);
        }
    }
}
