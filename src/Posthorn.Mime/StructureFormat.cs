using System.Buffers;

namespace Posthorn.Mime;

/// <summary>How a <see cref="MimeStructure"/> lies in the catalogue: version 1, then numbers of seven bits to the byte, parts in the order of the message.</summary>
/// <remarks>For each part: kind + 8 x encoding, header offset less that of the part before, header length, body length, four counts of feeds, parts below it.</remarks>
internal static class StructureFormat
{
    private const byte Version = 1;
    private const int LeastBytesEach = 9;

    public static void Write(MimeStructure structure, IBufferWriter<byte> output)
    {
        ByteScratch bytes = new(stackalloc byte[256]);
        bytes.Append(Version);
        Number(ref bytes, structure.Count);
        int before = 0;
        for (int i = 0; i < structure.Count; i++)
        {
            ref readonly PartData part = ref structure[i];
            bytes.Append((byte)((int)part.Kind | (int)part.Encoding << 3));
            Number(ref bytes, part.HeaderOffset - before);
            before = part.HeaderOffset;
            Number(ref bytes, part.HeaderLength);
            Number(ref bytes, part.BodyLength);
            Number(ref bytes, part.HeaderFeeds);
            Number(ref bytes, part.HeaderBareFeeds);
            Number(ref bytes, part.BodyFeeds);
            Number(ref bytes, part.BodyBareFeeds);
            Number(ref bytes, part.End - i - 1);
        }
        output.Write(bytes.Written);
        bytes.Dispose();
    }

    public static MimeStructure? TryRead(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty || bytes[0] != Version) return null;
        int at = 1;
        int count = Number(bytes, ref at);
        if (count < 1 || count > (bytes.Length - at) / LeastBytesEach) return null;
        PartData[] parts = new PartData[count];
        int before = 0;
        for (int i = 0; i < count; i++)
        {
            if (at >= bytes.Length) return null;
            int kinds = bytes[at++];
            ref PartData part = ref parts[i];
            part.Kind = (PartKind)(kinds & 7);
            part.Encoding = (TransferEncoding)(kinds >> 3);
            if (part.Kind > PartKind.Opaque || part.Encoding > TransferEncoding.Unknown) return null;
            long offset = (long)before + Number(bytes, ref at);
            part.HeaderLength = Number(bytes, ref at);
            part.BodyLength = Number(bytes, ref at);
            part.HeaderFeeds = Number(bytes, ref at);
            part.HeaderBareFeeds = Number(bytes, ref at);
            part.BodyFeeds = Number(bytes, ref at);
            part.BodyBareFeeds = Number(bytes, ref at);
            long end = (long)i + 1 + Number(bytes, ref at);
            if (at > bytes.Length || end > count || offset + part.HeaderLength + part.BodyLength > int.MaxValue) return null;
            part.HeaderOffset = before = (int)offset;
            part.End = (int)end;
        }
        return at == bytes.Length && IsTree(parts) ? new(parts, count) : null;
    }

    // Subtrees and their bytes must nest, the first must hold all, and what has to have children must have them.
    private static bool IsTree(PartData[] parts)
    {
        if (parts[0].End != parts.Length || parts[0].HeaderOffset != 0) return false;
        Span<int> open = stackalloc int[MimeLimits.DepthCeiling + 1];
        int depth = 0, at = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            while (depth > 0 && parts[open[depth - 1]].End == i) at = ByteEnd(parts[open[--depth]]);
            ref readonly PartData part = ref parts[i];
            if (depth >= open.Length || part.HeaderOffset < at) return false;
            if (depth > 0 && (part.End > parts[open[depth - 1]].End || ByteEnd(part) > ByteEnd(parts[open[depth - 1]]))) return false;
            bool parent = part.Kind is PartKind.Multipart or PartKind.Message;
            if (parent != part.End > i + 1) return false;
            if (part.Kind == PartKind.Message && parts[i + 1].End != part.End) return false;
            at = part.HeaderOffset + part.HeaderLength;
            open[depth++] = i;
        }
        return true;
    }

    private static int ByteEnd(in PartData part) => part.HeaderOffset + part.HeaderLength + part.BodyLength;

    private static void Number(ref ByteScratch bytes, int value)
    {
        uint rest = (uint)value;
        while (rest >= 0x80)
        {
            bytes.Append((byte)(rest | 0x80));
            rest >>= 7;
        }
        bytes.Append((byte)rest);
    }

    // Past the end or above 31 bits the place moves beyond the text, which the caller checks once.
    private static int Number(ReadOnlySpan<byte> bytes, ref int at)
    {
        uint value = 0;
        for (int shift = 0; shift < 35; shift += 7)
        {
            if (at >= bytes.Length) break;
            byte b = bytes[at++];
            value |= (uint)(b & 0x7f) << shift;
            if (b >= 0x80) continue;
            if (value > int.MaxValue || (shift == 28 && b > 7)) break;
            return (int)value;
        }
        at = bytes.Length + 1;
        return 0;
    }
}
