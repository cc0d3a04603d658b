using System.Diagnostics.CodeAnalysis;
using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>One message as a view needs it: 40 bytes.</summary>
/// <param name="Uid">Its UID.</param>
/// <param name="Size">RFC822.SIZE, octets.</param>
/// <param name="Internal">INTERNALDATE, seconds since 1970 UTC.</param>
/// <param name="ModSeq">Its MODSEQ.</param>
/// <param name="Flags">Its system flags.</param>
/// <param name="Keywords">Its keywords, shared among messages.</param>
/// <param name="ZoneMinutes">The zone in which INTERNALDATE was given, minutes east of UTC.</param>
[SuppressMessage("Performance", "CA1815", Justification = "Rows are compared by MODSEQ, never as a whole.")]
public readonly record struct MessageRow(Uid Uid, long Size, long Internal, ModSeq ModSeq, SystemFlags Flags, KeywordSet Keywords, short ZoneMinutes)
{
    /// <summary>INTERNALDATE (RFC 9051 section 2.3.3).</summary>
    public DateTimeOffset InternalDate => DateTimeOffset.FromUnixTimeSeconds(Internal).ToOffset(TimeSpan.FromMinutes(ZoneMinutes));
}

/// <summary>An immutable state of one mailbox: its messages in UID order and its numbers. Versions share what did not change.</summary>
/// <remarks>Rows lie in chunks; a change copies the chunks that it touches and no others, and two versions are compared chunk by chunk.</remarks>
public sealed class MailboxVersion
{
    /// <summary>Rows in a full chunk: copying one costs about 10 KiB, and a million messages make 4,000 chunks.</summary>
    internal const int ChunkSize = 256;

    /// <summary>Rows that gather at the end before they join a chunk.</summary>
    private const int SmallChunk = 16;

    private readonly MessageRow[][] _chunks;
    private readonly int[] _starts;

    private MailboxVersion(MessageRow[][] chunks)
    {
        _chunks = chunks;
        _starts = new int[chunks.Length];
        int count = 0;
        for (int i = 0; i < chunks.Length; i++)
        {
            _starts[i] = count;
            count += chunks[i].Length;
        }
        Count = count;
    }

    public required UidValidity Validity { get; init; }
    public required Uid UidNext { get; init; }
    public required ModSeq HighestModSeq { get; init; }

    /// <summary>The keywords that messages of this mailbox have or had.</summary>
    public required KeywordSet Keywords { get; init; }

    /// <summary>Messages.</summary>
    public int Count { get; }

    /// <summary>The message at a position, from 0: sequence number less one.</summary>
    public ref readonly MessageRow this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            int chunk = Array.BinarySearch(_starts, index);
            if (chunk < 0) chunk = ~chunk - 1;
            return ref _chunks[chunk][index - _starts[chunk]];
        }
    }

    /// <summary>The chunks in order, for walks over everything.</summary>
    public IEnumerable<ReadOnlyMemory<MessageRow>> Chunks
    {
        get
        {
            foreach (MessageRow[] chunk in _chunks) yield return chunk;
        }
    }

    /// <summary>The position of a UID, or the complement of the position where it would stand.</summary>
    public int IndexOf(Uid uid)
    {
        int low = 0, high = _chunks.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            MessageRow[] chunk = _chunks[middle];
            if (uid < chunk[0].Uid) high = middle - 1;
            else if (uid > chunk[^1].Uid) low = middle + 1;
            else
            {
                int at = Search(chunk, uid);
                return at >= 0 ? _starts[middle] + at : ~(_starts[middle] + ~at);
            }
        }
        return ~(low < _chunks.Length ? _starts[low] : Count);
    }

    public bool Contains(Uid uid) => IndexOf(uid) >= 0;

    /// <summary>A version of the given rows, which must stand in UID order.</summary>
    public static MailboxVersion Load(IEnumerable<MessageRow> rows, UidValidity validity, Uid uidNext, ModSeq highest, KeywordSet keywords) =>
        new([.. rows.Chunk(ChunkSize)]) { Validity = validity, UidNext = uidNext, HighestModSeq = highest, Keywords = keywords };

    /// <summary>As above, of chunks that are the version's own from now on; none is empty.</summary>
    internal static MailboxVersion OfChunks(MessageRow[][] chunks, UidValidity validity, Uid uidNext, ModSeq highest, KeywordSet keywords) =>
        new(chunks) { Validity = validity, UidNext = uidNext, HighestModSeq = highest, Keywords = keywords };

    /// <summary>The next version: rows changed or added (in UID order) and UIDs removed (in order).</summary>
    public MailboxVersion With(IReadOnlyList<MessageRow> upserts, IReadOnlyList<Uid> removed, Uid uidNext, ModSeq highest, KeywordSet keywords)
    {
        List<MessageRow[]> chunks = new(_chunks.Length + 1);
        int up = 0, gone = 0;
        foreach (MessageRow[] chunk in _chunks)
        {
            Uid last = chunk[^1].Uid;
            bool touched = up < upserts.Count && upserts[up].Uid <= last || gone < removed.Count && removed[gone] <= last;
            if (!touched)
            {
                chunks.Add(chunk);
                continue;
            }
            List<MessageRow> merged = Merge(chunk, upserts, ref up, removed, ref gone);
            if (merged.Count > 0) AddChunks(chunks, merged);
        }
        AddTail(chunks, upserts, up);
        return new([.. chunks]) { Validity = Validity, UidNext = uidNext, HighestModSeq = highest, Keywords = keywords };
    }

    /// <summary>What happened between an older version and this one.</summary>
    public VersionDifference Since(MailboxVersion older)
    {
        List<Uid> expunged = [];
        List<int> changed = [];
        int firstNew = Count;
        if (ReferenceEquals(this, older)) return new(expunged, changed, firstNew);
        int i = 0, j = 0; // positions in older and in this
        int oldChunk = 0, newChunk = 0;
        while (oldChunk < older._chunks.Length && newChunk < _chunks.Length)
        {
            bool atStarts = i == older._starts[oldChunk] && j == _starts[newChunk];
            if (atStarts && ReferenceEquals(older._chunks[oldChunk], _chunks[newChunk]))
            {
                i += older._chunks[oldChunk++].Length;
                j += _chunks[newChunk++].Length;
                continue;
            }
            ref readonly MessageRow was = ref older._chunks[oldChunk][i - older._starts[oldChunk]];
            ref readonly MessageRow now = ref _chunks[newChunk][j - _starts[newChunk]];
            if (was.Uid == now.Uid)
            {
                if (was.ModSeq != now.ModSeq) changed.Add(j);
                i++;
                j++;
            }
            else if (was.Uid < now.Uid)
            {
                expunged.Add(was.Uid);
                i++;
            }
            else j++; // Added in between: a foreign removal that came back keeps its UID.
            if (i == older._starts[oldChunk] + older._chunks[oldChunk].Length) oldChunk++;
            if (newChunk < _chunks.Length && j == _starts[newChunk] + _chunks[newChunk].Length) newChunk++;
        }
        for (; i < older.Count; i++) expunged.Add(older[i].Uid);
        Uid lastKnown = older.Count > 0 ? older[older.Count - 1].Uid : default;
        int at = IndexOf(new Uid(lastKnown.Value + 1));
        firstNew = at >= 0 ? at : ~at;
        return new(expunged, changed, firstNew);
    }


    private static int Search(MessageRow[] chunk, Uid uid)
    {
        int low = 0, high = chunk.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            Uid at = chunk[middle].Uid;
            if (at == uid) return middle;
            if (at < uid) low = middle + 1;
            else high = middle - 1;
        }
        return ~low;
    }

    private static List<MessageRow> Merge(MessageRow[] chunk, IReadOnlyList<MessageRow> upserts, ref int up, IReadOnlyList<Uid> removed, ref int gone)
    {
        List<MessageRow> merged = new(chunk.Length + 4);
        foreach (MessageRow row in chunk)
        {
            while (up < upserts.Count && upserts[up].Uid < row.Uid) merged.Add(upserts[up++]);
            MessageRow next = up < upserts.Count && upserts[up].Uid == row.Uid ? upserts[up++] : row;
            while (gone < removed.Count && removed[gone] < row.Uid) gone++;
            if (gone < removed.Count && removed[gone] == row.Uid) gone++;
            else merged.Add(next);
        }
        return merged;
    }

    private static void AddChunks(List<MessageRow[]> chunks, List<MessageRow> rows)
    {
        if (rows.Count <= 2 * ChunkSize) chunks.Add([.. rows]);
        else chunks.AddRange(rows.Chunk(ChunkSize));
    }

    // New messages fill a small last chunk, which joins the one before it when it is full: a single delivery copies a few rows, not hundreds.
    private static void AddTail(List<MessageRow[]> chunks, IReadOnlyList<MessageRow> upserts, int up)
    {
        while (up < upserts.Count)
        {
            MessageRow[] last = chunks.Count > 0 ? chunks[^1] : [];
            bool grows = last.Length is > 0 and < SmallChunk;
            int added = Math.Min(upserts.Count - up, grows ? SmallChunk - last.Length : ChunkSize);
            if (grows) chunks.RemoveAt(chunks.Count - 1);
            MessageRow[] next = new MessageRow[(grows ? last.Length : 0) + added];
            if (grows) last.CopyTo(next, 0);
            for (int i = next.Length - added; i < next.Length; i++) next[i] = upserts[up++];
            if (next.Length >= SmallChunk && chunks.Count > 0 && chunks[^1].Length + next.Length <= ChunkSize) chunks[^1] = [.. chunks[^1], .. next];
            else chunks.Add(next);
        }
    }
}

/// <summary>What happened between two versions.</summary>
/// <param name="Expunged">UIDs that were there and are not, in order.</param>
/// <param name="Changed">Positions in the newer version of messages whose MODSEQ moved, in order.</param>
/// <param name="FirstNew">The position in the newer version of the first message above all older ones; its count when there is none.</param>
public sealed record VersionDifference(IReadOnlyList<Uid> Expunged, IReadOnlyList<int> Changed, int FirstNew)
{
    public bool IsEmpty(MailboxVersion newer) => Expunged.Count == 0 && Changed.Count == 0 && FirstNew == newer.Count;
}
