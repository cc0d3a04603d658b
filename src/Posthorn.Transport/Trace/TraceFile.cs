using Microsoft.Win32.SafeHandles;

namespace Posthorn.Transport.Trace;

/// <summary>The file that is written now, with the keys of its lines. A crash may cost its last line; the keys are made anew from the lines.</summary>
internal sealed class TraceFile : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly TraceFolder.Segment _segment;
    private readonly List<TraceIndex.Entry> _entries;

    private TraceFile(SafeFileHandle file, TraceFolder.Segment segment, List<TraceIndex.Entry> entries, long length) =>
        (_file, _segment, _entries, Length) = (file, segment, entries, length);

    public long Length { get; private set; }

    /// <summary>Goes on with the last file when it has room, else begins one. Full files that have no index get theirs.</summary>
    public static TraceFile Open(string folder, int segmentSize, DateTimeOffset now)
    {
        List<TraceFolder.Segment> segments = TraceFolder.List(folder);
        for (int i = 0; i < segments.Count; i++)
        {
            long length = TraceFolder.LengthOf(segments[i].Path);
            bool goesOn = i == segments.Count - 1 && length < segmentSize;
            if (!goesOn && !File.Exists(segments[i].Index)) TraceIndex.Write(segments[i].Index, TraceScan.EntriesOf(segments[i].Path, out _), length);
            if (goesOn && !File.Exists(segments[i].Index)) return GoOn(segments[i]);
        }
        // Names grow, also when the clock is set back.
        long begun = Math.Max(now.ToUnixTimeMilliseconds(), segments.Count > 0 ? segments[^1].Begun + 1 : 0);
        TraceFolder.Segment segment = TraceFolder.Name(folder, begun);
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
        using (FileStream made = new(segment.Path, options)) made.Write(TraceFormat.Head(now));
        return GoOn(segment);
    }

    /// <summary>A line at an offset has a key.</summary>
    public void Note(ulong key, long offset) => _entries.Add(new(key, (uint)offset));

    public void Write(ReadOnlySpan<byte> lines)
    {
        RandomAccess.Write(_file, lines, Length);
        Length += lines.Length;
    }

    /// <summary>It is full: writes the index.</summary>
    public void Seal() => TraceIndex.Write(_segment.Index, _entries, Length);

    public void Dispose() => _file.Dispose();

    private static TraceFile GoOn(TraceFolder.Segment segment)
    {
        List<TraceIndex.Entry> entries = TraceScan.EntriesOf(segment.Path, out long whole);
        SafeFileHandle file = File.OpenHandle(segment.Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.SetLength(file, whole); // half a line that a crash left
        return new(file, segment, entries, whole);
    }
}
