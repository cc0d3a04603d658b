using System.Collections.Concurrent;
using System.Text;

namespace Posthorn.Mime;

/// <summary>Character sets by their MIME names, and a guess where there is no good name. Never throws for bytes or names of a message.</summary>
public static class Charsets
{
    // Names come from messages: what is remembered of them must stay bounded.
    private const int MaxRemembered = 256;
    private const int MaxName = 40;

    private static readonly ConcurrentDictionary<string, Encoding> Remembered = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>UTF-8, in which bytes that are none stand for the Latin-1 letters of the same number: right for ASCII, for UTF-8 and mostly for old western mail.</summary>
    public static Encoding Guess { get; } = Encoding.GetEncoding("utf-8", EncoderFallback.ReplacementFallback, new LatinFallback());

    /// <summary>The encoding of that name; <see cref="Guess"/> for none, an unknown one or US-ASCII (which is often a lie).</summary>
    public static Encoding Find(ReadOnlySpan<byte> name) => TryFind(name) ?? Guess;

    /// <summary>As <see cref="Find"/>, but null for a name that is not known; IMAP answers BADCHARSET then.</summary>
    public static Encoding? TryFind(ReadOnlySpan<byte> name)
    {
        name = Octets.Trim(name);
        if (name.Length is 0 or > MaxName || !Ascii.IsValid(name)) return null;
        string text = Encoding.ASCII.GetString(name);
        if (Remembered.TryGetValue(text, out Encoding? found)) return found;
        found = Load(text);
        if (found is not null && Remembered.Count < MaxRemembered) Remembered.TryAdd(text, found);
        return found;
    }

    private static Encoding? Load(string name)
    {
        switch (name.ToLowerInvariant())
        {
            case "utf-8" or "utf8" or "us-ascii" or "ascii" or "ansi_x3.4-1968" or "iso646-us" or "646" or "unknown-8bit" or "x-unknown" or "default": return Guess;
            case "utf-16" or "utf16" or "utf-16be": return Encoding.BigEndianUnicode;
            case "utf-16le": return Encoding.Unicode;
            case "utf-32" or "utf-32be": return new UTF32Encoding(bigEndian: true, byteOrderMark: false);
            case "utf-32le": return Encoding.UTF32;
            // Senders say Latin-1 and mean what Windows makes of it.
            case "iso-8859-1" or "iso8859-1" or "iso_8859-1" or "latin1" or "latin-1" or "l1" or "windows-1252" or "cp1252" or "cp-1252": return CodePage(1252);
            case "gb2312" or "gb18030" or "gbk" or "cp936" or "x-gbk" or "euc-cn" or "hz-gb-2312-x": return CodePage(54936);
            case "ks_c_5601-1987" or "euc-kr" or "cp949" or "ks_c_5601" or "korean" or "windows-949": return CodePage(949);
            case "shift_jis" or "shift-jis" or "sjis" or "x-sjis" or "cp932" or "ms_kanji" or "windows-31j": return CodePage(932);
            case "iso-8859-8-i" or "iso-8859-8-e": return CodePage(28598);
            case "cp1251" or "cp-1251" or "win-1251": return CodePage(1251);
            case "cp1250": return CodePage(1250);
            case "utf-7" or "unicode-1-1-utf-7": return null;
        }
        // 7 bits that turn into markup are no help to anybody: the provider does not know UTF-7.
        return CodePagesEncodingProvider.Instance.GetEncoding(name);
    }

    private static Encoding? CodePage(int number) => CodePagesEncodingProvider.Instance.GetEncoding(number);

    private sealed class LatinFallback : DecoderFallback
    {
        public override int MaxCharCount => 4;
        public override DecoderFallbackBuffer CreateFallbackBuffer() => new Buffer();

        private sealed class Buffer : DecoderFallbackBuffer
        {
            private byte[] _bytes = [];
            private int _next;

            public override int Remaining => _bytes.Length - _next;

            public override bool Fallback(byte[] bytesUnknown, int index)
            {
                _bytes = bytesUnknown;
                _next = 0;
                return bytesUnknown.Length > 0;
            }

            public override char GetNextChar() => _next < _bytes.Length ? (char)_bytes[_next++] : '\0';

            public override bool MovePrevious()
            {
                if (_next == 0) return false;
                _next--;
                return true;
            }

            public override void Reset()
            {
                _bytes = [];
                _next = 0;
            }
        }
    }
}
