using System.Globalization;

namespace Posthorn.Transport.Trace;

/// <summary>The files of the trace: <c>NNNNNNNNNNNNNN.trace</c>, named by the millisecond in which they were begun, each with an index beside it once it is full.</summary>
internal static class TraceFolder
{
    public const string Extension = ".trace";
    private const string IndexExtension = ".index";

    /// <summary>One file.</summary>
    /// <param name="Path">Where.</param>
    /// <param name="Begun">When its first line was written at the earliest, Unix milliseconds.</param>
    public readonly record struct Segment(string Path, long Begun)
    {
        public string Index => System.IO.Path.ChangeExtension(Path, IndexExtension);
    }

    /// <summary>All files, oldest first.</summary>
    public static List<Segment> List(string folder)
    {
        if (!System.IO.Directory.Exists(folder)) return [];
        List<Segment> segments = [];
        foreach (string path in System.IO.Directory.EnumerateFiles(folder, "*" + Extension))
            if (long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out long begun)) segments.Add(new(path, begun));
        segments.Sort((a, b) => a.Begun.CompareTo(b.Begun));
        return segments;
    }

    public static Segment Name(string folder, long begun) => new(Path.Combine(folder, begun.ToString("D14", CultureInfo.InvariantCulture) + Extension), begun);

    /// <summary>Removes files of which the last line is older than <paramref name="oldest"/>, then the oldest until the rest is within <paramref name="size"/>. The last file stays.</summary>
    public static void Tidy(string folder, DateTimeOffset oldest, long size)
    {
        List<Segment> segments = List(folder);
        long[] sizes = [.. segments.Select(segment => LengthOf(segment.Path) + LengthOf(segment.Index))];
        long total = sizes.Sum();
        for (int i = 0; i < segments.Count - 1; i++)
        {
            // Its last line is no younger than the first of the next.
            if (segments[i + 1].Begun >= oldest.ToUnixTimeMilliseconds() && total <= size) return;
            File.Delete(segments[i].Index);
            File.Delete(segments[i].Path);
            total -= sizes[i];
        }
    }

    public static long LengthOf(string path)
    {
        FileInfo file = new(path);
        return file.Exists ? file.Length : 0;
    }
}
