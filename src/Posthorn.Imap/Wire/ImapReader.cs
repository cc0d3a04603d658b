using System.Buffers.Text;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Imap.Wire;

/// <summary>What a session has agreed that changes how its commands are read.</summary>
/// <param name="Utf8">Mailbox names are UTF-8, not modified UTF-7 (RFC 9051 section 5.1; RFC 6855 section 3).</param>
/// <param name="Separator">What parts the levels of mailbox names.</param>
/// <param name="Limits">The bounds that parsers keep.</param>
/// <param name="Now">When the command came.</param>
internal sealed record Dialect(bool Utf8, char Separator, ImapOptions Limits, DateTimeOffset Now)
{
    /// <summary>Sequence numbers are not to be used any more (RFC 9586).</summary>
    public bool UidOnly { get; init; }

    /// <summary>The client has said <c>ENABLE UTF8=ACCEPT</c>: text is UTF-8, and a search that names a charset is a mistake (RFC 6855 section 3).</summary>
    public bool Utf8Accept { get; init; }
}

/// <summary>Reads one command's arguments (RFC 9051 section 9). Keeps its first error; reads after it return defaults, so parsers are straight lines in the grammar's order.</summary>
/// <remarks>Literals stand in the text as they came: <c>{5}</c>, CRLF, five octets.</remarks>
internal ref struct ImapReader
{
    private readonly ReadOnlySpan<byte> _text;
    private int _at;

    public ImapReader(ReadOnlySpan<byte> text, Dialect dialect)
    {
        _text = text;
        Dialect = dialect;
    }

    public Dialect Dialect { get; }

    /// <summary>What was expected and where, or null.</summary>
    public string? Error { readonly get; private set; }

    /// <summary>The reply to a command that is well written and cannot be done (a mailbox name that no mailbox can have).</summary>
    public Session.Completion? Refusal { readonly get; private set; }

    public readonly bool Failed => Error is not null;

    public readonly bool AtEnd => _at >= _text.Length;

    /// <summary>The next octet; 0 at the end and after an error.</summary>
    public readonly byte Next => Failed || AtEnd ? (byte)0 : _text[_at];

    /// <summary>The octet after the next; 0 at the end and after an error.</summary>
    public readonly byte Second => Failed || _at + 1 >= _text.Length ? (byte)0 : _text[_at + 1];

    public void Fail(string expected)
    {
        Error ??= $"expected {expected} at {_at}";
        _at = _text.Length;
    }

    /// <summary>Keeps a refusal: the text is right, but the thing cannot be.</summary>
    public void Refuse(Session.Completion refusal) => Refusal ??= refusal;

    public bool TryTake(byte octet)
    {
        if (Next != octet || octet == 0) return false;
        _at++;
        return true;
    }

    public void Take(byte octet)
    {
        if (!TryTake(octet)) Fail($"'{(char)octet}'");
    }

    public void Space()
    {
        if (!TryTake((byte)' ')) Fail("space");
    }

    /// <summary>True when a space was there and taken: an optional argument follows.</summary>
    public bool TrySpace() => TryTake((byte)' ');

    public void End()
    {
        // Some clients leave a space at the end of the line; no argument can start there.
        while (TryTake((byte)' ')) { }
        if (!Failed && !AtEnd) Fail("end of command");
    }

    /// <summary>The next word of letters, digits, dots, dashes and the like, without taking it as an argument: for keywords.</summary>
    public ReadOnlySpan<byte> Word()
    {
        int start = _at;
        while (_at < _text.Length && (IsAtomByte(_text[_at]) && _text[_at] is not ((byte)'[' or (byte)'<'))) _at++;
        if (_at == start) Fail("a word");
        return Failed ? default : _text[start.._at];
    }

    /// <summary>Takes the word if it is the one named; else takes nothing.</summary>
    public bool TryWord(ReadOnlySpan<byte> word)
    {
        if (Failed || _text.Length - _at < word.Length || !Ascii.EqualsIgnoreCase(_text.Slice(_at, word.Length), word)) return false;
        int end = _at + word.Length;
        if (end < _text.Length && IsAtomByte(_text[end]) && _text[end] is not ((byte)'[' or (byte)'<')) return false;
        _at = end;
        return true;
    }

    public ReadOnlySpan<byte> Atom()
    {
        int start = _at;
        while (_at < _text.Length && IsAtomByte(_text[_at])) _at++;
        if (_at == start) Fail("an atom");
        return Failed ? default : _text[start.._at];
    }

    /// <summary>astring: an atom that may hold <c>]</c>, or a string.</summary>
    public ReadOnlySpan<byte> AString()
    {
        if (Next is (byte)'"' or (byte)'{' || Next == '~' && Second == '{') return String();
        int start = _at;
        while (_at < _text.Length && (IsAtomByte(_text[_at]) || _text[_at] == ']')) _at++;
        if (_at == start) Fail("astring");
        return Failed ? default : _text[start.._at];
    }

    /// <summary>list-mailbox: as astring, with <c>%</c> and <c>*</c>.</summary>
    public ReadOnlySpan<byte> ListPattern()
    {
        if (Next is (byte)'"' or (byte)'{') return String();
        int start = _at;
        while (_at < _text.Length && (IsAtomByte(_text[_at]) || _text[_at] is (byte)']' or (byte)'%' or (byte)'*')) _at++;
        if (_at == start) Fail("a mailbox pattern");
        return Failed ? default : _text[start.._at];
    }

    /// <summary>A quoted string or a literal.</summary>
    public ReadOnlySpan<byte> String() => Next switch
    {
        (byte)'"' => Quoted(),
        (byte)'{' => Literal(binary: false),
        (byte)'~' => BinaryLiteral(),
        _ => Expected("a string"),
    };

    /// <summary>The head of a literal whose octets are still in the stream: the last thing of a frame.</summary>
    public LiteralHead LiteralHead()
    {
        bool binary = TryTake((byte)'~');
        if (Failed || Next != '{' || !FrameReader.TryLiteral(_text[_at..], out LiteralHead literal))
        {
            Fail("a literal");
            return default;
        }
        _at = _text.Length;
        return literal with { IsBinary = binary };
    }

    /// <summary>nstring: a string or NIL; true when there is a value.</summary>
    public bool NString(out ReadOnlySpan<byte> value)
    {
        value = default;
        if (TryWord("NIL"u8)) return false;
        value = String();
        return !Failed;
    }

    public uint Number()
    {
        if (Failed || !Utf8Parser.TryParse(_text[_at..], out uint value, out int used) || !char.IsAsciiDigit((char)Next))
        {
            Fail("number");
            return 0;
        }
        _at += used;
        return value;
    }

    public uint NzNumber()
    {
        if (Next is < (byte)'1' or > (byte)'9')
        {
            Fail("nz-number");
            return 0;
        }
        return Number();
    }

    /// <summary>number64: at most 63 bits (RFC 9051 section 9; mod-sequence-value of RFC 7162).</summary>
    public long Number64()
    {
        if (Failed || !char.IsAsciiDigit((char)Next) || !Utf8Parser.TryParse(_text[_at..], out long value, out int used))
        {
            Fail("number");
            return 0;
        }
        _at += used;
        return value;
    }

    /// <summary>sequence-set, <c>$</c> included.</summary>
    public NumberSet SequenceSet()
    {
        if (TryTake((byte)'$')) return NumberSet.SavedResult;
        List<NumberRange> ranges = [];
        do
        {
            uint first = SetNumber();
            ranges.Add(new(first, TryTake((byte)':') ? SetNumber() : first));
        }
        while (TryTake((byte)','));
        return new([.. ranges]);
    }

    /// <summary>A mailbox name. A name that no mailbox can have is kept as <see cref="Refusal"/>.</summary>
    public MailboxName Mailbox() => GivenMailbox().Name;

    /// <summary>A mailbox name and how it was written.</summary>
    public GivenName GivenMailbox()
    {
        string text = MailboxText();
        return new(ToMailbox(text), text);
    }

    /// <summary>The name to CREATE: a separator at its end only says that children will follow (RFC 9051 section 6.3.4).</summary>
    public GivenName NewMailbox()
    {
        string text = MailboxText();
        if (text.Length > 1 && text[^1] == Dialect.Separator) text = text[..^1];
        return new(ToMailbox(text), text);
    }

    /// <summary>A mailbox name's text, decoded.</summary>
    public string MailboxText() => DecodeName(AString());

    /// <summary>The text of a name or pattern in the session's encoding.</summary>
    public string DecodeName(ReadOnlySpan<byte> bytes)
    {
        if (TryDecodeName(bytes, out string text)) return text;
        Refuse(Session.Completion.No("CANNOT", Dialect.Utf8 ? "Mailbox name is not UTF-8" : "Mailbox name is not modified UTF-7"));
        return "";
    }

    /// <summary>The text of a name or pattern in the session's encoding; false when it is none.</summary>
    public readonly bool TryDecodeName(ReadOnlySpan<byte> bytes, out string text)
    {
        text = "";
        if (Failed || bytes.IsEmpty) return true;
        // Many clients send plain UTF-8 without having enabled it; no modified UTF-7 name has the eighth bit set.
        if (!Dialect.Utf8 && Ascii.IsValid(bytes)) return ModifiedUtf7.TryDecode(Encoding.ASCII.GetString(bytes), out text);
        if (!System.Text.Unicode.Utf8.IsValid(bytes)) return false;
        text = Encoding.UTF8.GetString(bytes);
        return true;
    }

    /// <summary>Text in UTF-8; octets that are not UTF-8 are read as ISO 8859-1.</summary>
    public static string Text(ReadOnlySpan<byte> bytes) =>
        System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : Encoding.Latin1.GetString(bytes);

    /// <summary>The name in a text that was read before; one that no mailbox can have is kept as <see cref="Refusal"/>.</summary>
    public MailboxName ToMailbox(string text)
    {
        if (Failed || Refusal is not null) return default;
        if (MailboxName.TryCreate(text, Dialect.Separator, out MailboxName name)) return name;
        Refuse(Session.Completion.No("CANNOT", "No mailbox can have this name"));
        return default;
    }

    private uint SetNumber() => TryTake((byte)'*') ? NumberSet.Star : NzNumber();

    private ReadOnlySpan<byte> Expected(string what)
    {
        Fail(what);
        return default;
    }

    private ReadOnlySpan<byte> Quoted()
    {
        int start = ++_at;
        bool escaped = false;
        while (_at < _text.Length && _text[_at] != '"')
        {
            byte b = _text[_at];
            if (b is 0 or (byte)'\r' or (byte)'\n') return Expected("quoted string");
            if (b == '\\')
            {
                escaped = true;
                if (++_at >= _text.Length || _text[_at] is not ((byte)'"' or (byte)'\\')) return Expected("'\"' or '\\' after '\\'");
            }
            _at++;
        }
        if (_at >= _text.Length) return Expected("'\"'");
        ReadOnlySpan<byte> raw = _text[start.._at++];
        // RFC 6855 section 3; before that anything goes, as old clients send what they like.
        if (Dialect.Utf8 && !System.Text.Unicode.Utf8.IsValid(raw)) return Expected("UTF-8 in a quoted string");
        return escaped ? Unescape(raw) : raw;
    }

    private static byte[] Unescape(ReadOnlySpan<byte> raw)
    {
        byte[] plain = new byte[raw.Length];
        int length = 0;
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] == '\\') i++;
            plain[length++] = raw[i];
        }
        return plain[..length];
    }

    private ReadOnlySpan<byte> BinaryLiteral()
    {
        _at++;
        return Next == '{' ? Literal(binary: true) : Expected("a literal");
    }

    private ReadOnlySpan<byte> Literal(bool binary)
    {
        _at++;
        long length = Number64();
        TryTake((byte)'+');
        Take((byte)'}');
        Take((byte)'\r');
        Take((byte)'\n');
        if (Failed) return default;
        if (length > _text.Length - _at) return Expected("the whole literal");
        ReadOnlySpan<byte> bytes = _text.Slice(_at, (int)length);
        if (!binary && bytes.Contains((byte)0)) return Expected("a literal without NUL");
        _at += (int)length;
        return bytes;
    }

    private static bool IsAtomByte(byte b) => b is > 32 and < 127 and not ((byte)'(' or (byte)')' or (byte)'{' or (byte)'%' or (byte)'*' or (byte)'"' or (byte)'\\' or (byte)']');
}
