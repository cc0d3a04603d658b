using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace Posthorn.ManageSieve.Wire;

/// <summary>Reads a command's arguments in the order of the grammar (RFC 5804 section 4). Keeps its first error; reads after it return defaults.</summary>
internal ref struct ArgumentReader(ReadOnlySpan<byte> text)
{
    /// <summary>Octets between the quotes of a quoted string.</summary>
    public const int MaxQuoted = 1024;

    private readonly ReadOnlySpan<byte> _text = text;
    private int _at;

    /// <summary>What is wrong, or null.</summary>
    public string? Error { get; private set; }

    public readonly bool Failed => Error is not null;

    /// <summary>One space.</summary>
    public void Space()
    {
        if (!Take((byte)' ')) Fail("a space");
    }

    /// <summary>A space, if more follows.</summary>
    public bool TrySpace() => !Failed && Take((byte)' ');

    /// <summary>The end of the command.</summary>
    public void End()
    {
        if (_at < _text.Length) Fail("the end of the command");
    }

    /// <summary><c>string = quoted / literal-c2s</c>, as octets.</summary>
    public byte[] Octets()
    {
        if (Failed) return [];
        if (_at < _text.Length && _text[_at] == '"') return Quoted();
        if (_at < _text.Length && _text[_at] == '{') return Literal();
        Fail("a string");
        return [];
    }

    /// <summary>A string that must be UTF-8.</summary>
    public string Text()
    {
        byte[] octets = Octets();
        if (Utf8.IsValid(octets)) return Encoding.UTF8.GetString(octets);
        Fail("UTF-8");
        return "";
    }

    /// <summary>The name of a SASL mechanism: quoted by the grammar; clients were seen that send it bare.</summary>
    public string Mechanism()
    {
        if (_at < _text.Length && _text[_at] is (byte)'"' or (byte)'{') return Text();
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit((char)_text[_at]) || _text[_at] is (byte)'-' or (byte)'_')) _at++;
        if (_at == start) Fail("a mechanism's name in quotes");
        return Encoding.ASCII.GetString(_text[start.._at]);
    }

    /// <summary><c>number</c>: 32 bits, no leading zeros.</summary>
    public uint Number()
    {
        if (Failed) return 0;
        ReadOnlySpan<byte> rest = _text[_at..];
        if (rest.IsEmpty || !char.IsAsciiDigit((char)rest[0]) || !Utf8Parser.TryParse(rest, out uint number, out int used) || used > 1 && rest[0] == '0')
        {
            Fail("a number from 0 to 4294967295");
            return 0;
        }
        _at += used;
        return number;
    }

    public void Fail(string expected) => Error ??= $"expected {expected} at {_at + 1}";

    private byte[] Quoted()
    {
        int start = ++_at;
        List<byte>? unescaped = null;
        for (; _at < _text.Length; _at++)
        {
            byte b = _text[_at];
            if (b == '"')
            {
                byte[] octets = unescaped is null ? _text[start.._at].ToArray() : [.. unescaped];
                _at++;
                if (octets.Length > MaxQuoted) Fail($"at most {MaxQuoted} octets between quotes; longer strings are literals, which end");
                return octets;
            }
            if (b is 0 or (byte)'\r' or (byte)'\n') break;
            if (b == '\\')
            {
                if (_at + 1 >= _text.Length || _text[_at + 1] is not ((byte)'"' or (byte)'\\')) break;
                unescaped ??= [.. _text[start.._at]];
                b = _text[++_at];
            }
            unescaped?.Add(b);
        }
        Fail("a closing quote, or a character that may stand in quotes");
        return [];
    }

    // The framing has seen to it that the octets are there.
    private byte[] Literal()
    {
        int lineEnd = _text[_at..].IndexOf("\r\n"u8);
        long length = lineEnd < 0 ? -1 : CommandReader.LiteralAtEnd(_text.Slice(_at, lineEnd));
        if (length < 0 || length > _text.Length - _at - lineEnd - 2)
        {
            Fail("a literal such as {12+}");
            return [];
        }
        byte[] octets = _text.Slice(_at + lineEnd + 2, (int)length).ToArray();
        _at += lineEnd + 2 + octets.Length;
        return octets;
    }

    private bool Take(byte wanted)
    {
        if (Failed || _at >= _text.Length || _text[_at] != wanted) return false;
        _at++;
        return true;
    }
}
