using System.Buffers;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Mime.Recoding;

/// <summary>Writes a header in UTF-8 (RFC 6532) as ASCII: encoded words for text, names and comments (RFC 2047 section 5), percent signs for parameters (RFC 2231), A-labels for domains.</summary>
/// <remarks>Fields that are in ASCII stay octet for octet. What ASCII cannot say ends it: an address whose local part is outside ASCII, a message id, octets that are not UTF-8.</remarks>
public static class HeaderRecoder
{
    private static readonly SearchValues<char> EndsWord = SearchValues.Create(" \t\r\n\"("), NotInName = SearchValues.Create("* \t\r\n\"()");

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private static readonly HashSet<string> Addresses = new(StringComparer.OrdinalIgnoreCase)
    {
        "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From", "Resent-Sender", "Resent-Reply-To", "Resent-To", "Resent-Cc", "Resent-Bcc",
        "Errors-To", "Apparently-To", "Mail-Followup-To", "Mail-Reply-To", "Disposition-Notification-To", "Return-Receipt-To", "List-Id",
    };

    // Of these only comments are text.
    private static readonly HashSet<string> Structured = new(StringComparer.OrdinalIgnoreCase)
    {
        "Received", "Return-Path", "Delivered-To", "Date", "Resent-Date", "Message-ID", "Resent-Message-ID", "In-Reply-To", "References", "MIME-Version", "Content-Transfer-Encoding", "Content-ID", "Content-MD5",
        "Content-Language", "Content-Location", "Auto-Submitted", "Original-Recipient", "DKIM-Signature", "DomainKey-Signature", "Authentication-Results", "ARC-Seal", "ARC-Message-Signature",
        "ARC-Authentication-Results", "Received-SPF", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Post", "List-Owner", "List-Archive", "Archived-At", "Autocrypt",
    };

    /// <summary>Writes the header with its blank line; false when something in it cannot be said in ASCII, and what was written then is nothing.</summary>
    public static bool TryRecode(ReadOnlySpan<byte> header, IBufferWriter<byte> output)
    {
        HeaderReader reader = new(header);
        while (reader.MoveNext())
        {
            HeaderField field = reader.Current;
            ReadOnlySpan<byte> whole = header.Slice(field.Offset, field.Length);
            if (Ascii.IsValid(whole))
            {
                output.Write(whole);
                continue;
            }
            if (field.IsMalformed || !Ascii.IsValid(field.Name) || TextOf(field.RawValue) is not { } value) return false;
            string name = Encoding.ASCII.GetString(field.Name);
            FieldLine line = new(name);
            if (!Write(name, value, line)) return false;
            output.Write(Encoding.ASCII.GetBytes(line.ToString()));
            output.Write("\r\n"u8);
        }
        if (reader.SawBlankLine) output.Write("\r\n"u8);
        return true;
    }

    private static string? TextOf(ReadOnlySpan<byte> raw)
    {
        try { return Strict.GetString(raw); }
        catch (DecoderFallbackException) { return null; }
    }

    private static bool Write(string name, string value, FieldLine line)
    {
        if (Addresses.Contains(name)) return WriteList(value, line, wordsAlone: false);
        if (name.Equals("Keywords", StringComparison.OrdinalIgnoreCase)) return WriteList(value, line, wordsAlone: true);
        if (name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase) || name.Equals("Content-Disposition", StringComparison.OrdinalIgnoreCase)) return WriteParameters(value, line);
        if (Structured.Contains(name)) return WriteComments(value, line);
        WriteText(value, line);
        return true;
    }

    // RFC 2047 section 5, the first rule: from the first word outside ASCII to the last, with what stands between; blanks between encoded words would get lost.
    private static void WriteText(string value, FieldLine line)
    {
        string[] words = Meant(value.Replace("\r", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal).Trim()).Split(' ');
        int first = Array.FindIndex(words, NeedsCode), last = Array.FindLastIndex(words, NeedsCode);
        foreach (string word in words.AsSpan(0, first)) line.Word(word);
        line.Encoded(string.Join(' ', words.AsSpan(first, last + 1 - first)!), blankFirst: true);
        foreach (string word in words.AsSpan(last + 1)) line.Word(word);

        static bool NeedsCode(string word) => !Ascii.IsValid(word) || word.Contains("=?", StringComparison.Ordinal);
    }

    // Encoded words that stand there already would be encoded twice.
    private static string Meant(string text) => text.Contains("=?", StringComparison.Ordinal) ? EncodedWord.Decode(Encoding.UTF8.GetBytes(text)) : text;

    // Mailboxes and groups: names before "<" and ":" are phrases; with wordsAlone all else is too.
    private static bool WriteList(string value, FieldLine line, bool wordsAlone)
    {
        for (int at = 0; at < value.Length;)
        {
            int end = Scan(value, at, ",;:<");
            char stop = end < value.Length ? value[end] : '\0';
            string part = value[at..end];
            string after = stop == '\0' ? "" : stop.ToString();
            if (stop == '<')
            {
                int close = Scan(value, end + 1, ">");
                if (close == value.Length || AddressOf(value[(end + 1)..close]) is not { } address) return false;
                (after, end) = ($"<{address}>", close);
            }
            at = end + 1;
            if (WriteComments(part, line)) line.Raw(after);
            else if (stop is '<' or ':' || wordsAlone)
            {
                // What follows encoded words must be parted from them.
                if (!WritePhrase(part, line)) return false;
                if (after.Length > 0) line.Word(after);
            }
            else
            {
                if (AddressOf(part) is not { } address) return false;
                line.Raw(address + after);
            }
        }
        return true;
    }

    // The address with its domain in ASCII; null when that is not all that is outside.
    private static string? AddressOf(string text)
    {
        if (Ascii.IsValid(text)) return text;
        int at = text.LastIndexOf('@');
        return at >= 0 && Ascii.IsValid(text.AsSpan(0, at)) && DomainName.TryCreate(text[(at + 1)..].Trim(), out DomainName domain) ? $"{text[..at]}@{domain.Ascii}" : null;
    }

    // RFC 2047 section 5, the third rule: the phrase as a whole.
    private static bool WritePhrase(string part, FieldLine line)
    {
        StringBuilder text = new();
        List<string> comments = [];
        for (int at = 0, end; at < part.Length; at = end)
        {
            end = part[at] switch
            {
                '(' => Scan(part, at, ")", inComment: true),
                '"' => QuotedEnd(part, at),
                ' ' or '\t' or '\r' or '\n' => at + 1,
                _ => part.AsSpan(at).IndexOfAny(EndsWord) is >= 0 and int next ? at + next : part.Length,
            };
            if (part[at] == '(') comments.Add(part[at..(end = Math.Min(end + 1, part.Length))]);
            else if (part[at] == '"') text.Append(Unescaped(part.Substring(at + 1, Math.Max(0, end - at - 2))));
            else if (!char.IsWhiteSpace(part[at])) text.Append(part.AsSpan(at, end - at));
            else if (text.Length > 0 && text[^1] != ' ') text.Append(' ');
        }
        line.Encoded(Meant(text.ToString().TrimEnd()), blankFirst: true);
        foreach (string comment in comments)
        {
            line.Raw(" ");
            if (!WriteComments(comment, line)) return false;
        }
        return true;
    }

    // All as it is but comments outside ASCII (RFC 2047 section 5, the second rule); false, and nothing written, when there is more to it.
    private static bool WriteComments(string value, FieldLine line)
    {
        List<(string Text, bool IsComment)> pieces = [];
        for (int at = 0; at < value.Length;)
        {
            int open = Scan(value, at, "(");
            if (!Ascii.IsValid(value.AsSpan(at, open - at))) return false;
            pieces.Add((value[at..open], false));
            if (open == value.Length) break;
            int close = Scan(value, open, ")", inComment: true);
            if (close == value.Length) return false;
            pieces.Add((value[(open + 1)..close], true));
            at = close + 1;
        }
        foreach ((string text, bool isComment) in pieces)
        {
            if (isComment) line.Raw("(");
            if (Ascii.IsValid(text)) line.Raw(text);
            else line.Encoded(Meant(Unescaped(text)), blankFirst: false);
            if (isComment) line.Raw(")");
        }
        return true;
    }

    // RFC 2231 sections 3 and 4.
    private static bool WriteParameters(string value, FieldLine line)
    {
        for (int at = 0, end; at <= value.Length; at = end + 1)
        {
            end = Scan(value, at, ";");
            if (at > 0) line.Raw(";");
            string part = value[at..end];
            if (!WriteComments(part, line) && (at == 0 || !WriteParameter(part.Trim(), line))) return false;
        }
        return true;
    }

    private static bool WriteParameter(string part, FieldLine line)
    {
        int equals = part.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0) return false;
        string name = part[..equals].TrimEnd(), text = part[(equals + 1)..].TrimStart();
        if (!Ascii.IsValid(name) || name.AsSpan().ContainsAny(NotInName) || text.Length == 0) return false;
        if (text[0] == '"')
        {
            if (QuotedEnd(text, 0) != text.Length || text.Length < 2) return false;
            text = Unescaped(text[1..^1]);
        }
        List<string> pieces = [""];
        Span<byte> octets = stackalloc byte[4];
        foreach (Rune rune in text.EnumerateRunes())
        {
            string piece = rune.IsAscii && (char.IsAsciiLetterOrDigit((char)rune.Value) || "!#$&+-.^_`{|}~".Contains((char)rune.Value, StringComparison.Ordinal))
                ? rune.ToString() : string.Concat(octets[..rune.EncodeToUtf8(octets)].ToArray().Select(octet => $"%{octet:X2}"));
            if (pieces[^1].Length + piece.Length + name.Length + 16 > 76 && pieces[^1].Length > 0) pieces.Add("");
            pieces[^1] += piece;
        }
        if (pieces.Count == 1) line.Word($"{name}*=utf-8''{pieces[0]}");
        else
            for (int i = 0; i < pieces.Count; i++) line.Word(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{name}*{i}*={(i == 0 ? "utf-8''" : "")}{pieces[i]}{(i + 1 < pieces.Count ? ";" : "")}"));
        return true;
    }

    // The next of these characters that stands in no quoted string, comment or domain literal; the end of the text when there is none. A comment is measured from its opening.
    private static int Scan(string text, int at, string stops, bool inComment = false)
    {
        int depth = 0;
        while (at < text.Length)
        {
            char c = text[at];
            if (c == '\\') at++;
            else if (c == '"' && depth == 0) at = QuotedEnd(text, at) - 1;
            else if (c == '(' && !(stops == "(" && depth == 0)) depth++;
            else if (c == ')' && depth > 0)
            {
                if (--depth == 0 && inComment) return at;
            }
            else if (c == '[' && depth == 0 && text.IndexOf(']', at) is > 0 and int close) at = close;
            else if (depth == 0 && stops.Contains(c, StringComparison.Ordinal)) return at;
            at++;
        }
        return text.Length;
    }

    private static int QuotedEnd(string text, int at)
    {
        for (at++; at < text.Length; at++)
        {
            if (text[at] == '\\') at++;
            else if (text[at] == '"') return at + 1;
        }
        return text.Length;
    }

    // Without escapes and line ends.
    private static string Unescaped(string text)
    {
        StringBuilder plain = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length) i++;
            else if (text[i] is '\r' or '\n') continue;
            plain.Append(text[i]);
        }
        return plain.ToString();
    }
}
