namespace Posthorn.Transport.Trace;

/// <summary>Reads a whole file of the trace.</summary>
internal static class TraceScan
{
    /// <summary>The keys of all lines. <paramref name="whole"/>: octets up to the end of the last whole line.</summary>
    public static List<TraceIndex.Entry> EntriesOf(string path, out long whole)
    {
        List<TraceIndex.Entry> entries = [];
        byte[] octets = ReadAll(path);
        foreach ((int offset, int length) in Lines(octets))
            if (TraceLine.Read(octets.AsMemory(offset, length)) is { } line)
                foreach (ulong key in line.Keys()) entries.Add(new(key, (uint)offset));
        whole = octets.AsSpan().LastIndexOf((byte)'\n') + 1;
        return entries;
    }

    /// <summary>The offsets of lines in which a text stands, as the writer would have written it.</summary>
    public static IEnumerable<uint> Find(byte[] octets, byte[] text)
    {
        foreach ((int offset, int length) in Lines(octets))
            if (System.Text.Ascii.IsValid(text) ? IndexOfIgnoringCase(octets.AsSpan(offset, length), text) >= 0 : octets.AsSpan(offset, length).IndexOf(text) >= 0) yield return (uint)offset;
    }

    public static byte[] ReadAll(string path)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] octets = new byte[RandomAccess.GetLength(file)];
        int length = 0;
        while (length < octets.Length && RandomAccess.Read(file, octets.AsSpan(length), length) is > 0 and var read) length += read;
        return length == octets.Length ? octets : octets[..length];
    }

    private static IEnumerable<(int Offset, int Length)> Lines(byte[] octets)
    {
        int start = 0;
        while (Array.IndexOf(octets, (byte)'\n', start) is >= 0 and var end)
        {
            yield return (start, end - start);
            start = end + 1;
        }
    }

    private static int IndexOfIgnoringCase(ReadOnlySpan<byte> line, ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) return 0;
        byte lower = (byte)char.ToLowerInvariant((char)text[0]), upper = (byte)char.ToUpperInvariant((char)text[0]);
        int from = 0;
        while (line[from..].IndexOfAny(lower, upper) is >= 0 and var at)
        {
            from += at;
            if (line.Length - from < text.Length) return -1;
            if (System.Text.Ascii.EqualsIgnoreCase(line.Slice(from, text.Length), text)) return from;
            from++;
        }
        return -1;
    }
}
