using System.Buffers.Binary;

namespace Posthorn.Store.Dovecot;

/// <summary>The head of a <c>dovecot.index.log</c>.</summary>
internal readonly record struct IndexLogHead(ushort Size, byte Minor, uint Id, uint Sequence, uint PreviousSequence, uint PreviousOffset, ulong FirstModSeq);

/// <summary><c>dovecot.index.log</c>, version 1: the changes since <c>dovecot.index</c> was written, each as size, kind and body.</summary>
internal ref struct IndexLog
{
    internal const string FileName = "dovecot.index.log";
    internal const string OlderName = "dovecot.index.log.2";
    internal const int HeadSize = 40;

    private const int RecordHead = 8;

    /// <summary>Kinds of change (<c>mail-transaction-log.h</c>).</summary>
    private enum Kind : uint
    {
        Append = 0x2,
        Flags = 0x4,
        Header = 0x20,
        ExtensionIntro = 0x40,
        Keyword = 0x400,
        KeywordReset = 0x800,
        ModSeq = 0x8000,
        Boundary = 0x80000,
        Attribute = 0x100000,
        // Expunges carry bits that damage would hardly hit.
        Expunge = 0x1 | 0xcd90,
        ExpungeGuid = 0x2000 | 0xcd90,
    }

    private const uint KindMask = 0x0fffffff;
    private const uint External = 0x10000000;

    private readonly IndexState _state;
    private readonly IndexLogHead _head;
    private readonly List<(uint Offset, uint First, uint Last)> _pending = [];
    private IndexBytes _bytes;
    private ulong _modSeq;

    private IndexLog(ReadOnlySpan<byte> file, IndexLogHead head, IndexState state)
    {
        _bytes = new(file);
        (_head, _state, _modSeq) = (head, state, head.FirstModSeq);
    }

    /// <summary>Reads the head; null and why when the file is none that can be used.</summary>
    internal static IndexLogHead? ReadHead(ReadOnlySpan<byte> file, out string problem)
    {
        IndexBytes bytes = new(file);
        ushort size = bytes.Short(2);
        problem = bytes.Length < 24 || size < 24 || size > bytes.Length ? "is too short"
            : bytes.Byte(0) != 1 ? $"has version {bytes.Byte(0)}, known is 1"
            : bytes.Number(4) == 0 ? "was marked as damaged by Dovecot"
            : "";
        if (problem.Length > 0)
        {
            problem = $"{FileName} {problem}";
            return null;
        }

        return new(size, bytes.Byte(1), bytes.Number(4), bytes.Number(8), bytes.Number(12), bytes.Number(16), size >= 32 ? bytes.Long(24) : 0);
    }

    /// <summary>Plays a log's changes into a state, from an offset on; what lies before only counts MODSEQs. False and why when it is damaged: the state then holds what came before.</summary>
    /// <param name="pending">UIDs whose files' names may not say yet what the index does.</param>
    internal static bool Play(ReadOnlySpan<byte> file, IndexLogHead head, IndexState state, uint from, ISet<uint> pending, out string problem)
    {
        IndexLog log = new(file, head, state);
        if (state.LogSequence != head.Sequence) state.LogTail = head.Size; // a log is begun when the one before is in the names
        bool whole = log.Play(from, out problem);
        state.Highest = Math.Max(state.Highest, log._modSeq);
        state.LogSequence = head.Sequence;
        foreach ((uint offset, uint first, uint last) in log._pending)
            if (offset >= state.LogTail)
                foreach (IndexMessage message in state.Range(first, last)) pending.Add(message.Uid);
        if (!state.IsTooMuch) return whole;
        problem = $"{FileName} has more keywords and changes than can be";
        return false;
    }

    private bool Play(uint from, out string problem)
    {
        problem = "";
        for (long at = _head.Size; at + RecordHead <= _bytes.Length;)
        {
            uint size = SizeOf(_bytes.Number(at));
            uint type = _bytes.Number(at + 4);
            if (size == 0 && _bytes.Number(at) == 0) break; // not written yet when it ended
            if (size < RecordHead || at + size > _bytes.Length) return Broken(at, out problem);
            Kind kind = (Kind)(type & KindMask);
            long body = at + RecordHead, end = at + size;
            // A change of several records that was cut short has not happened.
            if (kind == Kind.Boundary && at + _bytes.Number(body) > _bytes.Length) break;
            Count(kind, (type & External) != 0, body, end);
            if (at >= from && !Apply(kind, (type & External) != 0, at, body, end)) return Broken(at, out problem);
            at = end;
            _state.LogHead = (uint)at;
        }

        return true;
    }

    // Which changes clients see as one step of MODSEQ.
    private void Count(Kind kind, bool external, long body, long end)
    {
        if (_modSeq == 0)
        {
            // Counting begins with the extension of that name.
            if (kind == Kind.ExtensionIntro && _bytes.Short(body + 18) == 6 && _bytes.Text(body + 20, 6) == "modseq") _modSeq = 1;
            return;
        }

        switch (kind)
        {
            case Kind.Expunge or Kind.ExpungeGuid when external:
            case Kind.Append or Kind.Keyword or Kind.KeywordReset or Kind.Attribute:
                _modSeq++;
                return;
            case Kind.Flags:
                bool told = _head.Minor < 3;
                for (long at = body; at + 12 <= end; at += 12) told |= ((_bytes.Byte(at + 8) | _bytes.Byte(at + 9)) & 0x1f) != 0 || _bytes.Byte(at + 10) != 0;
                if (told) _modSeq++;
                return;
            case Kind.ModSeq:
                for (long at = body; at + 12 <= end; at += 12) _modSeq = Math.Max(_modSeq, _bytes.Number(at + 4) | (ulong)_bytes.Number(at + 8) << 32);
                return;
            default:
                return;
        }
    }

    private bool Apply(Kind kind, bool external, long offset, long body, long end)
    {
        switch (kind)
        {
            case Kind.Append:
                for (long at = body; at + 8 <= end; at += 8)
                    if (!_state.Append(new(_bytes.Number(at)) { Flags = _bytes.Byte(at + 4) })) return false;
                break;
            case Kind.Expunge when external:
                for (long at = body; at + 8 <= end; at += 8) _state.Remove(_bytes.Number(at), _bytes.Number(at + 4));
                break;
            case Kind.ExpungeGuid when external:
                for (long at = body; at + 20 <= end; at += 20) _state.Remove(_bytes.Number(at), _bytes.Number(at));
                break;
            case Kind.Flags:
                for (long at = body; at + 12 <= end; at += 12)
                {
                    (uint first, uint last) = (_bytes.Number(at), _bytes.Number(at + 4));
                    foreach (IndexMessage message in _state.Range(first, last)) message.Flags = (byte)(message.Flags & ~_bytes.Byte(at + 9) | _bytes.Byte(at + 8));
                    if (!external) _pending.Add(((uint)offset, first, last));
                }

                break;
            case Kind.Keyword:
                return Keyword(external, offset, body, end);
            case Kind.KeywordReset:
                for (long at = body; at + 8 <= end; at += 8)
                    foreach (IndexMessage message in _state.Range(_bytes.Number(at), _bytes.Number(at + 4))) message.Keywords = null;
                break;
            case Kind.Header:
                return Header(body, end);
            default:
                break; // Other extensions, and what newer versions may add, say nothing that is asked for here.
        }

        return !_bytes.Failed && !_state.IsTooMuch;
    }

    private bool Keyword(bool external, long offset, long body, long end)
    {
        byte how = _bytes.Byte(body);
        int size = _bytes.Short(body + 2);
        string name = _bytes.Text(body + 4, Math.Min(size, end - body - 4));
        if (name.Length == 0 || how > 2) return false;
        int number = _state.KeywordNumber(name);
        for (long at = IndexBytes.Align(body + 4 + size, 4); at + 8 <= end; at += 8)
        {
            (uint first, uint last) = (_bytes.Number(at), _bytes.Number(at + 4));
            foreach (IndexMessage message in _state.Range(first, last))
            {
                if (how == 1) message.Keywords?.Remove(number);
                else
                {
                    if (how == 2) message.Keywords = null;
                    _state.Mark(message, number);
                }
            }

            if (!external) _pending.Add(((uint)offset, first, last));
        }

        return !_bytes.Failed && !_state.IsTooMuch;
    }

    // Pieces of the index's head: offset, size, bytes, each padded to four.
    private bool Header(long body, long end)
    {
        for (long at = body; at + 4 <= end;)
        {
            int offset = _bytes.Short(at), size = _bytes.Short(at + 2);
            if (at + 4 + size > end) return false;
            for (int field = 0; field + 4 <= size; field += 4)
            {
                uint value = _bytes.Number(at + 4 + field);
                switch (offset + field)
                {
                    case IndexFile.At.Validity: _state.Validity = value; break;
                    case IndexFile.At.NextUid: _state.NextUid = Math.Max(_state.NextUid, value); break;
                    case IndexFile.At.FirstRecent: _state.FirstRecent = Math.Max(1, value); break;
                    case IndexFile.At.LogTail: _state.LogTail = value; break;
                    default: break;
                }
            }

            at = IndexBytes.Align(at + 4 + size, 4);
        }

        return !_bytes.Failed;
    }

    /// <summary>Sizes are written with the top bit of each octet set, seven bits in each, the highest first, in units of four.</summary>
    private static uint SizeOf(uint field)
    {
        if ((field & 0x80808080) != 0x80808080) return 0;
        uint turned = BinaryPrimitives.ReverseEndianness(field);
        return ((turned & 0x7f) | (turned >> 8 & 0x7f) << 7 | (turned >> 16 & 0x7f) << 14 | (turned >> 24 & 0x7f) << 21) << 2;
    }

    private static bool Broken(long at, out string problem)
    {
        problem = $"{FileName} is damaged at {at}";
        return false;
    }
}
