using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Net;
using Posthorn.Store;

namespace Posthorn.Imap.Wire;

/// <summary>Writes responses (RFC 9051 section 7). Handlers call typed methods; nothing else makes reply text.</summary>
internal sealed class ImapOutput(Connection connection)
{
    private static readonly byte[][] Months =
        ["Jan"u8.ToArray(), "Feb"u8.ToArray(), "Mar"u8.ToArray(), "Apr"u8.ToArray(), "May"u8.ToArray(), "Jun"u8.ToArray(),
         "Jul"u8.ToArray(), "Aug"u8.ToArray(), "Sep"u8.ToArray(), "Oct"u8.ToArray(), "Nov"u8.ToArray(), "Dec"u8.ToArray()];

    private OutputBuffer Out => connection.Output;

    /// <summary>Mailbox names go out as UTF-8 (RFC 9051 section 5.1); else as modified UTF-7.</summary>
    public bool Utf8 { get; set; }

    /// <summary>A response has been begun and not ended: nothing else can be said before it ends.</summary>
    public bool IsWithinResponse { get; private set; }

    public bool IsLarge => Out.IsLarge;

    /// <summary>Begins <c>* WORD</c>.</summary>
    public void Begin(ReadOnlySpan<byte> word)
    {
        IsWithinResponse = true;
        Out.Write("* "u8);
        Out.Write(word);
    }

    /// <summary>Begins <c>* n WORD</c>.</summary>
    public void Begin(long number, ReadOnlySpan<byte> word)
    {
        IsWithinResponse = true;
        Out.Write("* "u8);
        Out.Write(number);
        Out.Write(" "u8);
        Out.Write(word);
    }

    public void End()
    {
        Out.Write("\r\n"u8);
        IsWithinResponse = false;
    }

    /// <summary><c>* n WORD</c>.</summary>
    public void Numbered(long number, ReadOnlySpan<byte> word)
    {
        Begin(number, word);
        End();
    }

    /// <summary><c>* OK [code] text</c>.</summary>
    public void UntaggedOk(string? code, string text) => Condition("* OK "u8, code, text);

    public void UntaggedNo(string? code, string text) => Condition("* NO "u8, code, text);

    public void UntaggedBad(string text) => Condition("* BAD "u8, null, text);

    /// <summary><c>* BYE text</c>: the last thing said.</summary>
    public void Bye(string? code, string text) => Condition("* BYE "u8, code, text);

    /// <summary>A tagged completion.</summary>
    public void Tagged(ReadOnlySpan<byte> tag, Completion completion)
    {
        if (completion.Kind == CompletionKind.Written) return;
        Out.Write(tag);
        Condition(
            completion.Kind switch
            {
                CompletionKind.Ok => " OK "u8,
                CompletionKind.No => " NO "u8,
                _ => " BAD "u8,
            },
            completion.Code,
            completion.Text);
    }

    /// <summary>A continuation request.</summary>
    public void Continue(ReadOnlySpan<byte> text)
    {
        Out.Write("+ "u8);
        Out.Write(text);
        Out.Write("\r\n"u8);
    }

    public void Raw(ReadOnlySpan<byte> bytes) => Out.Write(bytes);

    /// <summary>Text of our own that needs no quoting.</summary>
    public void Raw(string text) => Out.Write(text.AsSpan());

    public void Number(long number) => Out.Write(number);

    /// <summary>An astring for text: quoted where it can be, else a literal.</summary>
    public void String(string text)
    {
        if (text.Length == 0)
        {
            Out.Write("\"\""u8);
            return;
        }
        Span<byte> small = stackalloc byte[512];
        if (Encoding.UTF8.TryGetBytes(text, small, out int length)) String(small[..length]);
        else String(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>A string: quoted where it can be, else a literal.</summary>
    public void String(ReadOnlySpan<byte> text)
    {
        if (!CanQuote(text))
        {
            Literal(text.Length);
            Out.Write(text);
            return;
        }
        Out.Write("\""u8);
        while (text.IndexOfAny((byte)'"', (byte)'\\') is >= 0 and int at)
        {
            Out.Write(text[..at]);
            Out.Write("\\"u8);
            Out.Write(text.Slice(at, 1));
            text = text[(at + 1)..];
        }
        Out.Write(text);
        Out.Write("\""u8);
    }

    public void NString(string? text)
    {
        if (text is null) Out.Write("NIL"u8);
        else String(text);
    }

    /// <summary>The head of a literal whose octets follow.</summary>
    public void Literal(long length)
    {
        Out.Write("{"u8);
        Out.Write(length);
        Out.Write("}\r\n"u8);
    }

    /// <summary>A mailbox name in the session's encoding.</summary>
    public void Mailbox(string name) => String(Utf8 ? name : ModifiedUtf7.Encode(name));

    /// <summary>Flags and keywords in parentheses.</summary>
    public void Flags(SystemFlags flags, KeywordSet keywords, bool recent) => FlagWords(flags, keywords, recent ? "\\Recent"u8 : default, lastFirst: true);

    /// <summary>Flags, keywords and one more word, at the end or between the two.</summary>
    public void FlagWords(SystemFlags flags, KeywordSet keywords, ReadOnlySpan<byte> last, bool lastFirst = false)
    {
        Out.Write("("u8);
        bool first = true;
        if ((flags & SystemFlags.Answered) != 0) Flag("\\Answered"u8, ref first);
        if ((flags & SystemFlags.Flagged) != 0) Flag("\\Flagged"u8, ref first);
        if ((flags & SystemFlags.Deleted) != 0) Flag("\\Deleted"u8, ref first);
        if ((flags & SystemFlags.Seen) != 0) Flag("\\Seen"u8, ref first);
        if ((flags & SystemFlags.Draft) != 0) Flag("\\Draft"u8, ref first);
        if (lastFirst && !last.IsEmpty) Flag(last, ref first);
        for (int i = 0; i < keywords.Count; i++)
        {
            if (!first) Out.Write(" "u8);
            first = false;
            Out.Write(keywords[i].Name.AsSpan());
        }
        if (!lastFirst && !last.IsEmpty) Flag(last, ref first);
        Out.Write(")"u8);
    }

    /// <summary>date-time: <c>"17-Jul-1996 02:44:25 -0700"</c>.</summary>
    public void DateTime(DateTimeOffset date)
    {
        Span<byte> text = Out.GetSpan(28)[..28];
        text[0] = (byte)'"';
        Digits(text[1..3], date.Day);
        text[3] = (byte)'-';
        Months[date.Month - 1].CopyTo(text[4..]);
        text[7] = (byte)'-';
        Digits(text[8..12], date.Year);
        text[12] = (byte)' ';
        Digits(text[13..15], date.Hour);
        text[15] = (byte)':';
        Digits(text[16..18], date.Minute);
        text[18] = (byte)':';
        Digits(text[19..21], date.Second);
        text[21] = (byte)' ';
        int zone = date.TotalOffsetMinutes;
        text[22] = zone < 0 ? (byte)'-' : (byte)'+';
        zone = Math.Abs(zone);
        Digits(text[23..25], zone / 60);
        Digits(text[25..27], zone % 60);
        text[27] = (byte)'"';
        Out.Advance(28);
    }

    /// <summary><c>[COPYUID validity sources targets]</c> without brackets (RFC 9051 section 7.1).</summary>
    public static string CopyUid(Placement placement) => string.Create(
        CultureInfo.InvariantCulture, $"COPYUID {placement.TargetValidity.Value} {NumberSet.Format(placement.Sources)} {NumberSet.Format(placement.Targets)}");

    /// <summary>Room for content; say how much was written with <see cref="Advance"/>.</summary>
    public Span<byte> GetSpan(int sizeHint) => Out.GetSpan(sizeHint);

    public void Advance(int count) => Out.Advance(count);

    private void Flag(ReadOnlySpan<byte> name, ref bool first)
    {
        if (!first) Out.Write(" "u8);
        first = false;
        Out.Write(name);
    }

    private static void Digits(Span<byte> into, int value)
    {
        for (int i = into.Length - 1; i >= 0; i--)
        {
            into[i] = (byte)('0' + value % 10);
            value /= 10;
        }
    }

    private bool CanQuote(ReadOnlySpan<byte> text)
    {
        if (text.Length > 1000 || text.IndexOfAny((byte)0, (byte)'\r', (byte)'\n') >= 0) return false;
        return Ascii.IsValid(text) || Utf8 && System.Text.Unicode.Utf8.IsValid(text);
    }

    private void Condition(ReadOnlySpan<byte> start, string? code, string text)
    {
        Out.Write(start);
        if (code is not null)
        {
            Out.Write("["u8);
            PlainText(code);
            Out.Write("] "u8);
        }
        PlainText(text);
        Out.Write("\r\n"u8);
        IsWithinResponse = false;
    }

    // Response text is TEXT-CHAR: no CR, LF or NUL, and ASCII for clients that have not agreed to more.
    private void PlainText(string text)
    {
        bool clean = true;
        foreach (char c in text)
            if (c is < ' ' or >= (char)127) clean = false;
        Out.Write(clean ? text : string.Concat(text.Select(c => c is < ' ' or >= (char)127 ? '?' : c)));
    }
}
