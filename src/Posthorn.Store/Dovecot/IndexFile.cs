using System.Buffers.Binary;

namespace Posthorn.Store.Dovecot;

/// <summary><c>dovecot.index</c>, version 7: a head, extensions, and a record of fixed size for each message.</summary>
internal static class IndexFile
{
    internal const string FileName = "dovecot.index";
    internal const byte Major = 7;
    internal const int HeadSize = 120;

    /// <summary>Bytes of an extension's own head.</summary>
    private const int ExtensionHead = 16;

    /// <summary>Octets of a keyword's name that are read; Dovecot's own have 50 at most unless it is told otherwise.</summary>
    private const int MostName = 1024;

    /// <summary>Fields of the head, by their offset.</summary>
    internal static class At
    {
        internal const int BaseSize = 2, HeaderSize = 4, RecordSize = 8, Compatibility = 12, Id = 16, Validity = 24, NextUid = 28, Messages = 32, Seen = 40, Deleted = 44,
            FirstRecent = 48, FirstUnseen = 52, FirstDeleted = 56, LogSequence = 60, LogTail = 64, LogHead = 68;
    }

    private readonly record struct Extension(string Name, long Data, uint DataSize, int RecordOffset, int RecordSize);

    /// <summary>Reads a file; null and why when it is none that can be used.</summary>
    internal static IndexState? Read(ReadOnlySpan<byte> file, out string problem)
    {
        IndexBytes bytes = new(file);
        problem = "";
        if (bytes.Length < HeadSize) return Broken("is too short", out problem);
        if (bytes.Byte(0) != Major) return Broken($"has version {bytes.Byte(0)}, known is {Major}", out problem);
        if (bytes.Byte(At.Compatibility) != 1) return Broken("was written by a machine with another order of bytes", out problem);
        uint baseSize = bytes.Short(At.BaseSize), headerSize = bytes.Number(At.HeaderSize), recordSize = bytes.Number(At.RecordSize), count = bytes.Number(At.Messages);
        if (baseSize < HeadSize || headerSize < baseSize || headerSize > bytes.Length || recordSize < 5) return Broken("has a head that cannot be", out problem);
        if (headerSize + (long)recordSize * count > bytes.Length) return Broken($"should have {count} messages and ends before", out problem);
        IndexState state = new();
        ReadHead(state, file[..HeadSize]);
        if (Extensions(ref bytes, baseSize, headerSize, recordSize) is not { } extensions) return Broken("has extensions that cannot be", out problem);
        Extension keywords = extensions.FirstOrDefault(extension => extension.Name == "keywords");
        Extension modSeq = extensions.FirstOrDefault(extension => extension.Name == "modseq");
        if (modSeq.DataSize >= 8) state.Highest = bytes.Long(modSeq.Data);
        if (keywords.DataSize > 0) ReadKeywords(ref bytes, keywords, state);
        for (uint i = 0; i < count; i++)
        {
            long at = headerSize + (long)recordSize * i;
            IndexMessage message = new(bytes.Number(at)) { Flags = bytes.Byte(at + 4) };
            for (int bit = 0; bit < keywords.RecordSize * 8 && bit < state.Keywords.Count; bit++)
                if ((bytes.Byte(at + keywords.RecordOffset + bit / 8) >> (bit % 8) & 1) != 0) state.Mark(message, bit);
            if (state.IsTooMuch) return Broken("has more keywords than can be", out problem);
            if (!state.Append(message)) return Broken("has messages out of order", out problem);
        }

        state.NextUid = Math.Max(state.NextUid, bytes.Number(At.NextUid));
        return bytes.Failed ? Broken("points outside itself", out problem) : state;
    }

    /// <summary>Takes over the fields of a head; the log changes them by offset too.</summary>
    internal static void ReadHead(IndexState state, ReadOnlySpan<byte> head)
    {
        state.Id = Field(head, At.Id);
        state.Validity = Field(head, At.Validity);
        state.NextUid = Math.Max(1, Field(head, At.NextUid));
        state.FirstRecent = Math.Max(1, Field(head, At.FirstRecent));
        state.LogSequence = Field(head, At.LogSequence);
        state.LogHead = Field(head, At.LogHead);
        state.LogTail = Field(head, At.LogTail);
    }

    private static uint Field(ReadOnlySpan<byte> head, int at) => BinaryPrimitives.ReadUInt32LittleEndian(head[at..]);

    private static List<Extension>? Extensions(ref IndexBytes bytes, uint baseSize, uint headerSize, uint recordSize)
    {
        List<Extension> extensions = [];
        for (long at = IndexBytes.Align(baseSize, 8); at < headerSize;)
        {
            if (at + ExtensionHead >= headerSize) return null;
            uint size = bytes.Number(at);
            int offset = bytes.Short(at + 8), length = bytes.Short(at + 10), name = bytes.Short(at + 14);
            long data = at + IndexBytes.Align(ExtensionHead + name, 8);
            if (data + size > headerSize || length > 0 && offset + length > recordSize) return null;
            extensions.Add(new(bytes.Text(at + ExtensionHead, name), data, size, offset, length));
            at = data + IndexBytes.Align(size, 8);
        }

        return extensions;
    }

    // A count, an offset for each into the names, the names with a zero behind each.
    private static void ReadKeywords(ref IndexBytes bytes, Extension extension, IndexState state)
    {
        uint count = bytes.Number(extension.Data);
        long names = extension.Data + 4 + 8L * count, end = extension.Data + extension.DataSize;
        for (uint i = 0; i < count && names <= end && state.Keywords.Count <= IndexState.MostKeywords; i++)
        {
            long at = names + bytes.Number(extension.Data + 4 + 8L * i + 4);
            state.Keywords.Add(at <= end ? bytes.Text(at, Math.Min(end - at, MostName)) : "");
        }
    }

    private static IndexState? Broken(string why, out string problem)
    {
        problem = $"{FileName} {why}";
        return null;
    }
}
