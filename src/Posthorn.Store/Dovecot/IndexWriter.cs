using System.Buffers.Binary;
using System.Text;

namespace Posthorn.Store.Dovecot;

/// <summary>Writes <c>dovecot.index</c> and an empty log that begins where it ends, so that Dovecot goes on from there: UIDs, MODSEQs, and the keywords that have no letter.</summary>
internal static class IndexWriter
{
    private const byte Minor = 3;
    private const int RecordBase = 8;

    /// <summary>The two files. Messages must have their MODSEQ, at most <see cref="IndexState.Highest"/>; the log's sequence is 2 or more.</summary>
    internal static (byte[] Index, byte[] Log) Write(IndexState state, uint now)
    {
        int keywordBytes = (state.Keywords.Count + 7) / 8;
        int recordSize = (int)IndexBytes.Align(RecordBase + 8 + keywordBytes, 8);
        byte[] modSeq = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(modSeq, state.Highest);
        BinaryPrimitives.WriteUInt32LittleEndian(modSeq.AsSpan(8), state.LogSequence);
        BinaryPrimitives.WriteUInt32LittleEndian(modSeq.AsSpan(12), IndexLog.HeadSize);
        List<byte> file = [.. new byte[IndexFile.HeadSize]];
        Extension(file, "modseq", modSeq, RecordBase, 8, 8);
        if (keywordBytes > 0) Extension(file, "keywords", Keywords(state.Keywords), RecordBase + 8, keywordBytes, 1);
        int headerSize = file.Count;
        byte[] index = new byte[headerSize + (long)recordSize * state.Messages.Count];
        file.CopyTo(index);
        Head(index, state, headerSize, recordSize, now);
        for (int i = 0; i < state.Messages.Count; i++) Record(index.AsSpan(headerSize + recordSize * i, recordSize), state.Messages[i]);
        return (index, Log(state, now));
    }

    private static void Head(Span<byte> index, IndexState state, int headerSize, int recordSize, uint now)
    {
        index[0] = IndexFile.Major;
        index[1] = Minor;
        BinaryPrimitives.WriteUInt16LittleEndian(index[IndexFile.At.BaseSize..], IndexFile.HeadSize);
        index[IndexFile.At.Compatibility] = 1;
        Span<byte> head = index[..IndexFile.HeadSize];
        Field(head, IndexFile.At.HeaderSize, (uint)headerSize);
        Field(head, IndexFile.At.RecordSize, (uint)recordSize);
        Field(head, IndexFile.At.Id, state.Id);
        Field(head, IndexFile.At.Validity, state.Validity);
        Field(head, IndexFile.At.NextUid, state.NextUid);
        Field(head, IndexFile.At.Messages, (uint)state.Messages.Count);
        Field(head, IndexFile.At.Seen, (uint)state.Messages.Count(message => (message.Flags & 8) != 0));
        Field(head, IndexFile.At.Deleted, (uint)state.Messages.Count(message => (message.Flags & 4) != 0));
        Field(head, IndexFile.At.FirstRecent, Math.Min(state.FirstRecent, state.NextUid));
        // The low-water marks stay 0: they only save Dovecot a search.
        Field(head, IndexFile.At.LogSequence, state.LogSequence);
        Field(head, IndexFile.At.LogTail, IndexLog.HeadSize);
        Field(head, IndexFile.At.LogHead, IndexLog.HeadSize);
        Field(head, 76, uint.MaxValue); // there is no older log
        Field(head, 84, now - now % 86_400);
    }

    private static void Record(Span<byte> record, IndexMessage message)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(record, message.Uid);
        record[4] = message.Flags;
        BinaryPrimitives.WriteUInt64LittleEndian(record[RecordBase..], message.ModSeq);
        foreach (int keyword in message.Keywords ?? []) record[RecordBase + 8 + keyword / 8] |= (byte)(1 << keyword % 8);
    }

    private static byte[] Log(IndexState state, uint now)
    {
        byte[] log = new byte[IndexLog.HeadSize];
        log[0] = 1;
        log[1] = Minor;
        BinaryPrimitives.WriteUInt16LittleEndian(log.AsSpan(2), IndexLog.HeadSize);
        Field(log, 4, state.Id);
        Field(log, 8, state.LogSequence);
        // A log without one before it would mean that the index was reset.
        Field(log, 12, state.LogSequence - 1);
        Field(log, 16, IndexLog.HeadSize);
        Field(log, 20, now);
        BinaryPrimitives.WriteUInt64LittleEndian(log.AsSpan(24), state.Highest);
        log[32] = 1;
        return log;
    }

    private static void Extension(List<byte> file, string name, ReadOnlySpan<byte> data, int recordOffset, int recordSize, int align)
    {
        byte[] head = new byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(head, (uint)data.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(8), (ushort)recordOffset);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(10), (ushort)recordSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(12), (ushort)align);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(14), (ushort)name.Length);
        file.AddRange(head);
        file.AddRange(Encoding.ASCII.GetBytes(name));
        Pad(file);
        file.AddRange(data);
        Pad(file);
    }

    private static byte[] Keywords(List<string> keywords)
    {
        List<byte> names = [];
        byte[] head = new byte[4 + 8 * keywords.Count];
        BinaryPrimitives.WriteUInt32LittleEndian(head, (uint)keywords.Count);
        for (int i = 0; i < keywords.Count; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4 + 8 * i + 4), (uint)names.Count);
            names.AddRange(Encoding.UTF8.GetBytes(keywords[i]));
            names.Add(0);
        }

        while (names.Count % 4 != 0) names.Add(0);
        return [.. head, .. names];
    }

    private static void Pad(List<byte> file)
    {
        while (file.Count % 8 != 0) file.Add(0);
    }

    private static void Field(Span<byte> into, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(into[at..], value);
}
