using System.Security.Cryptography;
using System.Text;

namespace Posthorn.Directory.Files;

/// <summary>A text file that is read again when it changes. Used under the directory's refresh lock only.</summary>
/// <remarks>What cannot be read keeps its last content and says so. A file that turns empty is believed only when it is seen so twice:
/// programs that rewrite in place empty it for a moment, and in that moment every recipient would be unknown.</remarks>
internal sealed class LiveFile<T>(string path, Func<string, string, T> parse, DirectoryLimits limits, TimeProvider time)
    where T : class
{
    // A file changed within the grain of its timestamps, after we read it, looks unchanged; so young ones are compared by content.
    private static readonly TimeSpan Grain = TimeSpan.FromSeconds(2);

    private FileStamp _stamp;
    private bool _settled;
    private byte[] _hash = [];
    private bool _wasEmpty;

    public string Path { get; } = path;

    /// <summary>The last content that could be read; empty text before that.</summary>
    public T Content { get; private set; } = parse(path, "");

    /// <summary>Why the file cannot be read now, or null.</summary>
    public DirectoryProblem? Problem { get; private set; }

    /// <summary>How often the file was parsed.</summary>
    public int Reads { get; private set; }

    /// <summary>Reads the file if it changed. True when <see cref="Content"/> or <see cref="Problem"/> did.</summary>
    public bool Refresh()
    {
        if (!FileStamp.TryRead(Path, out FileStamp stamp)) return Fail(File.Exists(Path) ? "cannot be looked at" : "does not exist");
        if (_settled && stamp == _stamp && Problem is null) return false;
        if (stamp.Size > (ulong)limits.MaxFileOctets) return Fail($"is larger than {limits.MaxFileOctets} octets");

        byte[] bytes;
        try { bytes = File.ReadAllBytes(Path); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return Fail($"cannot be read: {e.Message}"); }
        if (!FileStamp.TryRead(Path, out FileStamp after) || after != stamp) return false; // changed meanwhile: next time

        if (bytes.Length == 0 && _hash.Length > 0 && !_wasEmpty)
        {
            _wasEmpty = true;
            return false;
        }
        _wasEmpty = bytes.Length == 0;
        _stamp = stamp;
        _settled = (time.GetUtcNow() - stamp.Modified).Duration() > Grain;
        byte[] hash = SHA256.HashData(bytes);
        bool mended = Problem is not null;
        Problem = null;
        if (hash.AsSpan().SequenceEqual(_hash)) return mended;
        _hash = hash;
        Reads++;
        Content = parse(Path, Decode(bytes));
        return true;
    }

    private bool Fail(string why)
    {
        string text = _hash.Length > 0 ? $"{why}; what was last read stays in use" : why;
        if (Problem?.Text == text) return false;
        Problem = new(ProblemSeverity.Error, Path, 0, text);
        return true;
    }

    // Old files may be ISO 8859-1; guessing by validity is right for both.
    private static string Decode(byte[] bytes)
    {
        ReadOnlySpan<byte> text = bytes.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? bytes.AsSpan(3) : bytes;
        return System.Text.Unicode.Utf8.IsValid(text) ? Encoding.UTF8.GetString(text) : Encoding.Latin1.GetString(text);
    }
}
