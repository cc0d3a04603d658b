using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Posthorn.Core;
using Posthorn.Journal.Format;

namespace Posthorn.Store.Catalogue;

/// <summary>The checksum of one row: what the database would not notice (a page of yesterday, a flipped bit in a cell) is found when the row is read.</summary>
/// <remarks>Never 0, which is what a column has that a row of another table lacks.</remarks>
internal struct RowSum
{
    private uint _sum;

    internal readonly long Value => _sum == 0 ? 1 : _sum;

    internal static long Meta(MetaKey key, long number, string text) => default(RowSum).Add((long)key).Add(number).Add(text).Value;

    internal static long Mailbox(MailboxRow row) => default(RowSum)
        .Add(row.Id).Add(row.Object.Value).Add(row.Name).Add((long)row.Use).Add(row.Validity.Value).Add(row.UidNext.Value)
        .Add(row.Highest.Value).Add(row.Floor.Value).Add(row.FirstRecent.Value)
        .Add(row.Counts.Messages).Add(row.Counts.Unseen).Add(row.Counts.Deleted).Add(row.Counts.Octets).Add(row.Counts.DeletedOctets).Add(row.Tombstones).Value;

    /// <summary>Of a file's row, without <c>dirty</c>, which changes alone.</summary>
    internal static long File(long mailbox, Uid uid, string diskName, string baseName) => default(RowSum).Add(mailbox).Add(uid.Value).Add(diskName).Add(baseName).Value;

    internal static long Content(in ContentRow row) =>
        default(RowSum).Add(row.Id).Add(row.Email.Value).Add(row.Thread.Value).Add(row.Record).Add(row.Part).Add(row.Octets).Value;

    internal static long Tombstone(long mailbox, ModSeq modSeq, Uid uid) => default(RowSum).Add(mailbox).Add(modSeq.Value).Add(uid.Value).Value;

    internal static long Letter(long mailbox, int number, string name) => default(RowSum).Add(mailbox).Add(number).Add(name).Value;

    internal static long KeywordSet(string names) => default(RowSum).Add(names).Value;

    internal static long FilterNote(ReadOnlySpan<byte> id, long until) => default(RowSum).Add(id).Add(until).Value;

    internal static long ListMark(long mailbox, string list, string handed) => default(RowSum).Add(mailbox).Add(list).Add(handed).Value;

    internal static long MessageId(long hash, string thread) => default(RowSum).Add(hash).Add(thread).Value;

    internal static long Subscription(string name) => default(RowSum).Add(name).Value;

    internal RowSum Add(long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        return Append(bytes);
    }

    // With the length, so that what stands in one column cannot stand in its neighbour.
    internal RowSum Add(string text)
    {
        _ = Add(text.Length);
        return Append(MemoryMarshal.AsBytes(text.AsSpan()));
    }

    /// <summary>As <see cref="Add(string)"/>, of a text as the database has it.</summary>
    internal RowSum AddText(ReadOnlySpan<byte> utf8)
    {
        Span<char> text = stackalloc char[64];
        if (utf8.Length > text.Length) return Add(Encoding.UTF8.GetString(utf8));
        int length = Encoding.UTF8.GetChars(utf8, text);
        _ = Add(length);
        return Append(MemoryMarshal.AsBytes(text[..length]));
    }

    internal RowSum Add(ReadOnlySpan<byte> bytes)
    {
        _ = Add(bytes.Length);
        return Append(bytes);
    }

    private RowSum Append(ReadOnlySpan<byte> bytes)
    {
        _sum = Crc32C.Append(_sum, bytes);
        return this;
    }
}
