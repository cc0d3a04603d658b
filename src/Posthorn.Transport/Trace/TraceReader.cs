using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Posthorn.Transport.Trace;

/// <summary>The life of one message, as far as it was written down.</summary>
/// <param name="Id">Its queue id.</param>
/// <param name="Steps">What happened, in order.</param>
public sealed record TracedMessage(string Id, IReadOnlyList<TraceLine> Steps)
{
    /// <summary>Messages that came of it: sent on, answers, reports.</summary>
    public IReadOnlyList<string> Children => [.. Steps.SelectMany(step => step.Children()).Distinct()];
}

/// <summary>What a search found.</summary>
/// <param name="Messages">Oldest first; what came of a message follows it.</param>
/// <param name="HasMore">There are older ones, which were left out.</param>
/// <param name="Lost">Steps of that time that could not be kept.</param>
public sealed record TraceResult(IReadOnlyList<TracedMessage> Messages, bool HasMore, long Lost);

/// <summary>Finds the life of messages in the files, whether a server writes them or not.</summary>
public sealed class TraceReader
{
    /// <summary>Messages that came of each other: more is a loop, or a mailing list.</summary>
    private const int MaxFamily = 200;

    private readonly List<TraceFolder.Segment> _segments;
    private readonly TraceRedactor _redactor;
    private readonly Dictionary<string, byte[]> _unindexed = [];

    private TraceReader(List<TraceFolder.Segment> segments, TraceRedactor redactor) => (_segments, _redactor) = (segments, redactor);

    /// <summary>Opens a folder; one that does not exist holds nothing.</summary>
    public static TraceReader Open(string folder) => new(TraceFolder.List(folder), TraceRedactor.Find(folder));

    /// <summary>Searches by message id, queue id or address, whatever it may be; the newest <paramref name="limit"/> messages.</summary>
    public TraceResult Find(string what, int limit)
    {
        what = what.Trim();
        bool bracketed = what is ['<', .., '>'];
        if (bracketed) what = what[1..^1];
        List<ulong> keys = [TraceKeys.MessageId(what)];
        List<string> texts = [Written(what)];
        if (!bracketed) keys.Add(TraceKeys.Id(what));
        if (!bracketed && what.Contains('@', StringComparison.Ordinal))
        {
            keys.Add(TraceKeys.Address(what));
            if (_redactor.IsOn) texts.Add(Written(_redactor.Address(what)));
            if (_redactor.IsOn) keys.Add(TraceKeys.Address(_redactor.Address(what)));
        }
        // Ids grow with time, so the newest messages are those with the highest.
        SortedSet<string> found = new(StringComparer.Ordinal);
        bool more = false;
        foreach (TraceFolder.Segment segment in Enumerable.Reverse(_segments))
        {
            foreach (TraceLine line in LinesWith(segment, keys, texts))
                if (line.Id.Length > 0) found.Add(line.Id);
            for (; found.Count > limit; more = true) found.Remove(found.Min!);
            if (more) break;
        }
        return Gather(found, more);
    }

    // As it stands within quotes.
    private static string Written(string text) => JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString();

    private TraceResult Gather(SortedSet<string> ids, bool more)
    {
        List<TracedMessage> messages = [];
        HashSet<string> seen = [];
        foreach (string id in ids) Add(id);
        IEnumerable<TraceLine> steps = messages.SelectMany(message => message.Steps);
        (DateTimeOffset first, DateTimeOffset last) = messages.Count == 0 ? (default, default) : (steps.Min(step => step.Time), steps.Max(step => step.Time));
        return new(messages, more, messages.Count == 0 ? 0 : LostWithin(first.AddMinutes(-1), last.AddMinutes(1)));

        void Add(string id)
        {
            if (messages.Count >= ids.Count + MaxFamily || !seen.Add(id)) return;
            TraceLine[] own = [.. Lines(TraceKeys.Id(id), id).Where(line => line.Id == id)];
            if (own.Length == 0) return;
            TracedMessage message = new(id, own);
            messages.Add(message);
            foreach (string child in message.Children) Add(child);
        }
    }

    private long LostWithin(DateTimeOffset from, DateTimeOffset to)
    {
        long lost = 0;
        foreach (TraceLine line in Lines(TraceKeys.Lost, "\"event\":\"lost\""))
            if (line.Time >= from && line.Time <= to && long.TryParse(line.Text("count"), out long count)) lost += count;
        return lost;
    }

    private IEnumerable<TraceLine> Lines(ulong key, string text) => _segments.SelectMany(segment => LinesWith(segment, [key], [text]));

    // Lines that have one of the keys, in order; where there is no index, those in which the text stands.
    private List<TraceLine> LinesWith(TraceFolder.Segment segment, List<ulong> keys, List<string> texts)
    {
        try
        {
            SortedSet<uint> offsets = [];
            byte[]? octets = null;
            long length = TraceFolder.LengthOf(segment.Path);
            foreach (ulong key in keys)
            {
                if (TraceIndex.Find(segment.Index, key, length) is not { } some)
                {
                    octets = Unindexed(segment);
                    foreach (string text in texts) offsets.UnionWith(TraceScan.Find(octets, Encoding.UTF8.GetBytes(text)));
                    break;
                }
                offsets.UnionWith(some);
            }
            if (offsets.Count == 0) return [];
            List<TraceLine> lines = [];
            using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(segment.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            foreach (uint offset in offsets)
                if (LineAt(file, octets, offset) is { } line && line.Keys().Any(keys.Contains)) lines.Add(line);
            return lines;
        }
        catch (FileNotFoundException) { return []; } // it has just grown too old
    }

    private byte[] Unindexed(TraceFolder.Segment segment)
    {
        if (!_unindexed.TryGetValue(segment.Path, out byte[]? octets)) _unindexed.Add(segment.Path, octets = TraceScan.ReadAll(segment.Path));
        return octets;
    }

    private static TraceLine? LineAt(Microsoft.Win32.SafeHandles.SafeFileHandle file, byte[]? octets, uint offset)
    {
        if (octets is not null)
        {
            int end = Array.IndexOf(octets, (byte)'\n', (int)offset);
            return end < 0 ? null : TraceLine.Read(octets.AsMemory((int)offset, end - (int)offset));
        }
        byte[] line = new byte[1024];
        int length = 0;
        while (true)
        {
            int read = RandomAccess.Read(file, line.AsSpan(length), offset + length);
            int end = line.AsSpan(length, read).IndexOf((byte)'\n');
            if (end >= 0) return TraceLine.Read(line.AsMemory(0, length + end));
            if (read == 0) return null;
            length += read;
            if (length == line.Length) Array.Resize(ref line, line.Length * 2);
        }
    }
}
