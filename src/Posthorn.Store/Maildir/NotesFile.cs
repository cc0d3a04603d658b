using System.Buffers.Binary;
using System.Text;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Maildir;

/// <summary>Dovecot's <c>.dovecot.lda-dupes</c> in the home: whom the filter has answered and what it has seen, each until a time. Read on adoption, and kept up to date as a second home and for the way back.</summary>
/// <remarks>Version 2 (u32), then records: time of expiry, length of the id, length of the user's name (u32 each), id, name. Numbers are the machine's own, which is little-endian.</remarks>
internal sealed record NotesFile(IReadOnlyList<(byte[] Id, long Until)> Notes, string? User)
{
    internal const string FileName = ".dovecot.lda-dupes";

    /// <summary>The largest file read, octets: a quarter of a million notes.</summary>
    internal const long MaxLength = 16 << 20;

    private const int Version = 2;
    private const int RecordHead = 12;

    /// <summary>The longest id taken over: Sieve's are digests of 16 octets; what redirects leave there is longer and of no use to us.</summary>
    private const int MaxId = 64;

    /// <summary>Reads what can be read of it; a record that is none ends it.</summary>
    internal static NotesFile Parse(ReadOnlySpan<byte> bytes)
    {
        List<(byte[], long)> notes = [];
        string? user = null;
        if (bytes.Length < 4 || BinaryPrimitives.ReadInt32LittleEndian(bytes) != Version) return new(notes, null);
        bytes = bytes[4..];
        while (bytes.Length >= RecordHead)
        {
            uint until = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            uint id = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]), name = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
            if (id == 0 || name == 0 || (ulong)id + name > (ulong)(bytes.Length - RecordHead)) break;
            ReadOnlySpan<byte> rest = bytes[RecordHead..];
            if (id <= MaxId) notes.Add((rest[..(int)id].ToArray(), until * 1000L));
            user ??= PathBytes.Decode(rest.Slice((int)id, (int)name));
            bytes = rest[(int)(id + name)..];
        }

        return new(notes, user);
    }

    internal byte[] Format()
    {
        byte[] name = Encoding.UTF8.GetBytes(User ?? "?");
        byte[] bytes = new byte[4 + Notes.Sum(note => RecordHead + note.Id.Length + name.Length)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, Version);
        Span<byte> rest = bytes.AsSpan(4);
        foreach ((byte[] id, long until) in Notes)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(rest, (uint)Math.Min(until / 1000, uint.MaxValue));
            BinaryPrimitives.WriteInt32LittleEndian(rest[4..], id.Length);
            BinaryPrimitives.WriteInt32LittleEndian(rest[8..], name.Length);
            id.CopyTo(rest[RecordHead..]);
            name.CopyTo(rest[(RecordHead + id.Length)..]);
            rest = rest[(RecordHead + id.Length + name.Length)..];
        }

        return bytes;
    }
}
