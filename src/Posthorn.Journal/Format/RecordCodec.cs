using System.Buffers.Binary;
using Posthorn.Journal.Content;

namespace Posthorn.Journal.Format;

/// <summary>A record in a batch: head, steps, and the content if it lies inline. docs/formats.md has it byte by byte.</summary>
internal static class RecordCodec
{
    internal const int HeadLength = 40;
    internal const int StepHeadLength = 8;
    private const byte RelaxedFlag = 1;

    /// <summary>Bytes of head and steps, with the padding to eight.</summary>
    internal static int LengthOf(ReadOnlySpan<JournalStep> steps)
    {
        long length = HeadLength;
        foreach (JournalStep step in steps) length += StepHeadLength + step.Payload.Length;
        return length > int.MaxValue - 8 ? int.MaxValue : Blocks.Eight((int)length);
    }

    /// <summary>Writes head and steps into a span of just <see cref="LengthOf"/> bytes.</summary>
    internal static void Write(Span<byte> record, long lsn, bool relaxed, ReadOnlySpan<JournalStep> steps, ContentReference content)
    {
        BinaryPrimitives.WriteInt64LittleEndian(record[8..], lsn);
        BinaryPrimitives.WriteUInt16LittleEndian(record[16..], (ushort)steps.Length);
        record[18] = (byte)content.Kind;
        record[19] = relaxed ? RelaxedFlag : (byte)0;
        BinaryPrimitives.WriteUInt32LittleEndian(record[20..], content.Checksum);
        BinaryPrimitives.WriteInt64LittleEndian(record[24..], content.Length);
        BinaryPrimitives.WriteInt64LittleEndian(record[32..], content.Spool);

        int at = HeadLength;
        foreach (JournalStep step in steps)
        {
            Span<byte> place = record[at..];
            (place[0], place[1], place[2], place[3]) = (step.Participant, step.Kind, 0, 0);
            BinaryPrimitives.WriteInt32LittleEndian(place[4..], step.Payload.Length);
            step.Payload.Span.CopyTo(place[StepHeadLength..]);
            at += StepHeadLength + step.Payload.Length;
        }

        record[at..].Clear();
        BinaryPrimitives.WriteInt32LittleEndian(record[4..], at);
        BinaryPrimitives.WriteUInt32LittleEndian(record, Crc32C.Compute(record[4..at]));
    }

    /// <summary>Reads the record at the start of the memory. False when it is not whole, not <paramref name="lsn"/>, or its checksums differ.</summary>
    internal static bool TryRead(ReadOnlyMemory<byte> memory, long lsn, out RecordView record)
    {
        record = default;
        ReadOnlySpan<byte> head = memory.Span;
        if (head.Length < HeadLength) return false;
        int length = BinaryPrimitives.ReadInt32LittleEndian(head[4..]);
        if (length < HeadLength || length > head.Length) return false;
        if (BinaryPrimitives.ReadUInt32LittleEndian(head) != Crc32C.Compute(head[4..length])) return false;
        if (BinaryPrimitives.ReadInt64LittleEndian(head[8..]) != lsn) return false;

        ContentReference content = new(
            (ContentKind)head[18],
            BinaryPrimitives.ReadInt64LittleEndian(head[24..]),
            BinaryPrimitives.ReadUInt32LittleEndian(head[20..]),
            BinaryPrimitives.ReadInt64LittleEndian(head[32..]));
        int start = Blocks.Eight(length);
        int total = start;
        if (content.Kind == ContentKind.Inline)
        {
            if (content.Length < 0 || start + content.Length > head.Length) return false;
            if (Crc32C.Compute(head.Slice(start, (int)content.Length)) != content.Checksum) return false;
            total = start + Blocks.Eight((int)content.Length);
        }

        if (!TrySteps(memory[HeadLength..length], BinaryPrimitives.ReadUInt16LittleEndian(head[16..]), out JournalStep[] steps)) return false;
        record = new(lsn, (head[19] & RelaxedFlag) != 0, steps, content, start, total);
        return true;
    }

    private static bool TrySteps(ReadOnlyMemory<byte> rest, int count, out JournalStep[] steps)
    {
        steps = new JournalStep[count];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> head = rest.Span;
            if (head.Length < StepHeadLength) return false;
            int length = BinaryPrimitives.ReadInt32LittleEndian(head[4..]);
            if (length < 0 || length > head.Length - StepHeadLength) return false;
            steps[i] = new(head[0], head[1], rest.Slice(StepHeadLength, length));
            rest = rest[(StepHeadLength + length)..];
        }

        return rest.IsEmpty;
    }
}

/// <summary>A record as read: <paramref name="ContentStart"/> and <paramref name="Total"/> are offsets from its head.</summary>
internal readonly record struct RecordView(long Lsn, bool Relaxed, JournalStep[] Steps, ContentReference Content, int ContentStart, int Total);
