namespace Posthorn.Mime;

/// <summary>Message ids in the normal form of RFC 5256 section 3: without brackets, quotes and folds.</summary>
public static class MessageIds
{
    /// <summary>Ids of one field that are read. Long threads reach a few hundred.</summary>
    public const int MaxIds = 1_000;

    /// <summary>The longest id; RFC 5322 allows a line of 998.</summary>
    private const int MaxLength = 998;

    /// <summary>All valid ids of a raw value, in order.</summary>
    public static IReadOnlyList<string> Parse(ReadOnlySpan<byte> raw) => Parse(raw, MaxIds);

    /// <summary>The message's own id, or null.</summary>
    public static string? Own(ReadOnlySpan<byte> header, MimeLimits limits) =>
        Find(header, "message-id"u8, limits, out ReadOnlySpan<byte> raw) && Parse(raw, 1) is [string id] ? id : null;

    /// <summary>What the message refers to, oldest first: References, else the first id of In-Reply-To (RFC 5256 section 3).</summary>
    public static IReadOnlyList<string> References(ReadOnlySpan<byte> header, MimeLimits limits)
    {
        if (Find(header, "references"u8, limits, out ReadOnlySpan<byte> raw) && Parse(raw) is { Count: > 0 } references) return references;
        return Find(header, "in-reply-to"u8, limits, out raw) ? Parse(raw, 1) : [];
    }

    private static bool Find(ReadOnlySpan<byte> header, ReadOnlySpan<byte> name, MimeLimits limits, out ReadOnlySpan<byte> raw)
    {
        raw = default;
        HeaderReader reader = new(header);
        int fields = 0;
        while (reader.MoveNext() && ++fields <= limits.MaxHeaderFields && reader.Position <= limits.MaxHeaderBytes)
        {
            if (!reader.Current.Is(name)) continue;
            raw = reader.Current.RawValue;
            return true;
        }
        return false;
    }

    private static List<string> Parse(ReadOnlySpan<byte> raw, int most)
    {
        List<string> ids = [];
        ByteScratch id = new(stackalloc byte[256]);
        int at = 0;
        while (ids.Count < most && at < raw.Length)
        {
            int open = raw[at..].IndexOf((byte)'<');
            if (open < 0) break;
            at = Read(raw, at + open + 1, ref id, out bool valid);
            if (valid) ids.Add(Charsets.Guess.GetString(id.Written));
        }
        id.Dispose();
        return ids;
    }

    // To the closing bracket; a second opening one starts anew.
    private static int Read(ReadOnlySpan<byte> raw, int at, ref ByteScratch id, out bool valid)
    {
        id.Clear();
        valid = false;
        bool sign = false;
        while (at < raw.Length && raw[at] != '<')
        {
            byte b = raw[at];
            if (b == '>')
            {
                valid = sign && id.Length is > 1 and <= MaxLength;
                return at + 1;
            }
            if (b == '"')
            {
                int end = Tokens.QuotedEnd(raw, at);
                Tokens.Unescape(Tokens.Inside(raw[at..end]), ref id);
                at = end;
                continue;
            }
            sign |= b == '@';
            if (!Octets.IsBlank(b)) id.Append(b);
            at++;
        }
        return at;
    }
}
