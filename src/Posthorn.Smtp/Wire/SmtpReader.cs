using System.Buffers;
using System.Text;
using System.Text.Unicode;
using Posthorn.Core;
using Posthorn.Transport;

namespace Posthorn.Smtp.Wire;

/// <summary>Reads the arguments of one command line, in the order of the grammar. Keeps its first error; after it, it reads defaults.</summary>
internal ref struct SmtpReader
{
    /// <summary>The longest path of RFC 5321 section 4.5.3.1.3 is 256; long local parts and source routes are borne.</summary>
    private const int MaxPath = 1_024;

    private static readonly SearchValues<byte> AtomText = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"u8);

    // What clients put into EHLO, without what would mean something in a Received line.
    private static readonly SearchValues<byte> HelloText = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]%+/~$&'"u8);

    private readonly ReadOnlySpan<byte> _line;
    private readonly SmtpSyntax _syntax;
    private int _at;

    /// <summary>Starts behind the verb.</summary>
    public SmtpReader(ReadOnlySpan<byte> line, int at, SmtpSyntax syntax)
    {
        // RFC 5321 section 4.1.1: trailing white space is tolerated.
        _line = line.TrimEnd(" \t"u8);
        _at = Math.Min(at, _line.Length);
        _syntax = syntax;
    }

    /// <summary>The first error, or null.</summary>
    public SmtpReply? Error { get; private set; }

    /// <summary>A path had octets outside ASCII, as they came: a domain in U-labels too (RFC 6531 section 3.3).</summary>
    public bool HadUtf8Path { get; private set; }

    public readonly bool IsForgiving => _syntax.IsForgiving;

    /// <summary>True when nothing is left.</summary>
    public readonly bool IsAtEnd => _at >= _line.Length;

    private readonly ReadOnlySpan<byte> Rest => _line[_at..];
    private readonly byte Peek => _at < _line.Length ? _line[_at] : (byte)0;

    public void Fail(SmtpReply reply)
    {
        Error ??= reply;
        _at = _line.Length;
    }

    /// <summary>One space; several when forgiving.</summary>
    public void Space()
    {
        if (Peek != ' ')
        {
            FailExpected("a space");
            return;
        }
        _at++;
        if (IsForgiving) SkipSpaces();
    }

    /// <summary>A word such as <c>FROM:</c>, in any case.</summary>
    public void Keyword(ReadOnlySpan<byte> word)
    {
        if (Rest.Length >= word.Length && Ascii.EqualsIgnoreCase(Rest[..word.Length], word)) _at += word.Length;
        else FailExpected(Encoding.ASCII.GetString(word));
    }

    /// <summary>Nothing more.</summary>
    public void End()
    {
        if (!IsAtEnd) Fail(Reply.NoArguments);
    }

    /// <summary>Everything that is left behind one space, for free text. Not checked.</summary>
    public ReadOnlySpan<byte> Text()
    {
        if (Peek == ' ') _at++;
        ReadOnlySpan<byte> text = Rest;
        _at = _line.Length;
        return text;
    }

    /// <summary>A word up to the next space; empty at the end.</summary>
    public ReadOnlySpan<byte> Word()
    {
        int length = Rest.IndexOf((byte)' ');
        ReadOnlySpan<byte> word = length < 0 ? Rest : Rest[..length];
        _at += word.Length;
        return word;
    }

    /// <summary>A decimal number that fits 63 bits.</summary>
    public long Number()
    {
        ReadOnlySpan<byte> digits = Word();
        if (TryNumber(digits, out long value)) return value;
        _at -= digits.Length;
        FailExpected("a number");
        return 0;
    }

    /// <summary><c>Reverse-path = Path / "&lt;&gt;"</c> (RFC 5321 section 4.1.2).</summary>
    public ReversePath ReversePath()
    {
        if (IsForgiving) SkipSpaces();
        if (Rest.StartsWith("<>"u8))
        {
            _at += 2;
            return Core.ReversePath.Null;
        }
        // Lotus means the null path (and this is no address of anybody's).
        if (_syntax.CompletesNames && Rest.StartsWith("<@>"u8))
        {
            _at += 3;
            return Core.ReversePath.Null;
        }
        return Path(Reply.BadSenderSyntax, out EmailAddress address) ? Core.ReversePath.Of(address) : Core.ReversePath.Null;
    }

    /// <summary><c>Forward-path = Path / "&lt;Postmaster&gt;"</c>.</summary>
    public EmailAddress ForwardPath()
    {
        if (IsForgiving) SkipSpaces();
        if (Rest.Length >= 12 && Ascii.EqualsIgnoreCase(Rest[..12], "<postmaster>"u8))
        {
            _at += 12;
            return EmailAddress.TryCreate("postmaster", _syntax.DefaultDomain, out EmailAddress postmaster) ? postmaster : default;
        }
        Path(Reply.BadRecipientSyntax, out EmailAddress address);
        return address;
    }

    /// <summary>The next <c>SP esmtp-keyword ["=" esmtp-value]</c>; false when there is none.</summary>
    public bool Parameter(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        name = value = default;
        if (IsAtEnd) return false;
        Space();
        if (Error is not null) return false;
        ReadOnlySpan<byte> word = Word();
        int equals = word.IndexOf((byte)'=');
        name = equals < 0 ? word : word[..equals];
        if (!IsKeyword(name))
        {
            _at -= word.Length;
            FailExpected("a parameter");
            return false;
        }
        // A value may be anything printable; that a parameter which takes none has one is its own affair.
        if (equals >= 0) value = word[(equals + 1)..];
        if (equals < 0 || value.Length > 0) return true;
        Fail(Reply.BadParameter(Encoding.ASCII.GetString(name)));
        return false;
    }

    /// <summary>The name in EHLO: a domain or an address literal, kept as received; forgiving, anything harmless.</summary>
    public string HelloName()
    {
        if (IsAtEnd) Fail(Reply.BadHello);
        Space();
        ReadOnlySpan<byte> word = Word();
        if (Error is not null) return "";
        if (!IsAtEnd || word.IsEmpty || word.Length > 255 || !Ascii.IsValid(word))
        {
            Fail(Reply.BadHello);
            return "";
        }
        string name = Encoding.ASCII.GetString(word);
        bool valid = IsForgiving
            ? !word.ContainsAnyExcept(HelloText)
            : (name[0] != '[' || (name[^1] == ']' && IsLiteral(name))) && DomainName.TryCreate(name, out _);
        if (!valid) Fail(Reply.BadHello);
        return name;
    }

    /// <summary>Digits only, at most 63 bits.</summary>
    public static bool TryNumber(ReadOnlySpan<byte> digits, out long value)
    {
        value = 0;
        if (digits.Length is 0 or > 20) return false;
        foreach (byte digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9') return false;
            if (value > (long.MaxValue - 9) / 10) return false;
            value = value * 10 + (digit - '0');
        }
        return true;
    }

    /// <summary>A size of up to 20 digits (RFC 1870 section 3): the largest number that we count stands for all beyond it.</summary>
    public static bool TrySize(ReadOnlySpan<byte> digits, out long value)
    {
        if (TryNumber(digits, out value)) return true;
        value = long.MaxValue;
        return digits.Length is > 0 and <= 20 && !digits.ContainsAnyExceptInRange((byte)'0', (byte)'9');
    }

    // Path = "<" [ A-d-l ":" ] Mailbox ">"
    private bool Path(SmtpReply bad, out EmailAddress address)
    {
        address = default;
        int start = _at;
        bool bracketed = Peek == '<';
        if (bracketed) _at++;
        else if (!IsForgiving)
        {
            FailExpected("'<'");
            return false;
        }
        if (IsForgiving && bracketed) SkipSpaces();
        if (Peek == '@' && bracketed && !SourceRoute()) return Bad(bad);
        if (!LocalPart(out string local)) return Bad(bad);
        DomainName domain = _syntax.DefaultDomain;
        if (Peek == '@')
        {
            _at++;
            if (!Domain(out domain)) return Bad(bad);
        }
        else if (!_syntax.CompletesNames) return Bad(bad);
        if (IsForgiving && bracketed) SkipSpaces();
        if (bracketed && Peek != '>' || _at - start > MaxPath) return Bad(bad);
        if (bracketed) _at++;
        if (!IsAtEnd && Peek != ' ') return Bad(bad);
        HadUtf8Path |= !Ascii.IsValid(_line[start.._at]);
        return EmailAddress.TryCreate(local, domain, out address) || Bad(bad);
    }

    // A-d-l = At-domain *( "," At-domain ), to be accepted and ignored (RFC 5321 section 4.1.2 and appendix C).
    private bool SourceRoute()
    {
        while (true)
        {
            if (Peek != '@') return false;
            _at++;
            if (!Domain(out _)) return false;
            byte next = Peek;
            _at++;
            if (next == ':') return true;
            if (next != ',') return false;
        }
    }

    // Local-part = Dot-string / Quoted-string; kept as meant, without quotes.
    private bool LocalPart(out string local)
    {
        local = "";
        if (Peek == '"') return QuotedString(out local);
        int length = 0;
        bool dot = true;
        ReadOnlySpan<byte> rest = Rest;
        for (; length < rest.Length; length++)
        {
            byte c = rest[length];
            if (c == '.')
            {
                if (dot) return false;
                dot = true;
            }
            else if (AtomText.Contains(c) || c >= 0x80) dot = false;
            else break;
        }
        if (dot) return false;
        _at += length;
        return TryUtf8(rest[..length], out local);
    }

    private bool QuotedString(out string local)
    {
        local = "";
        Span<byte> plain = stackalloc byte[EmailAddress.MaxLocalPart + 1];
        int length = 0;
        for (_at++; _at < _line.Length; _at++)
        {
            byte c = _line[_at];
            if (c == '"')
            {
                _at++;
                return TryUtf8(plain[..length], out local);
            }
            if (c == '\\' && ++_at < _line.Length) c = _line[_at];
            if (c is < (byte)' ' or 0x7F || length == plain.Length || _at >= _line.Length) return false;
            plain[length++] = c;
        }
        return false;
    }

    // Domain / address-literal. A final dot is borne and dropped: it means the same domain.
    private bool Domain(out DomainName domain)
    {
        domain = default;
        ReadOnlySpan<byte> rest = Rest;
        int length = Peek == '[' ? rest.IndexOf((byte)']') + 1 : rest.IndexOfAny(">,: "u8);
        if (length < 0) length = rest.Length;
        if (length == 0 || !TryUtf8(rest[..length], out string text)) return false;
        _at += length;
        return (text[0] != '[' || IsLiteral(text)) && DomainName.TryCreate(text, out domain);
    }

    /// <summary>True for an address literal in the one form that nobody reads in two ways: no octal, no hexadecimal, no scope.</summary>
    public static bool IsLiteral(ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> inner = text[1..^1];
        if (inner.StartsWith("IPv6:", StringComparison.OrdinalIgnoreCase)) return !inner.ContainsAny('%', '[', '/');
        foreach (Range part in inner.Split('.'))
        {
            ReadOnlySpan<char> number = inner[part];
            if (number.Length is 0 or > 3 || (number.Length > 1 && number[0] == '0') || number.ContainsAnyExceptInRange('0', '9')) return false;
        }
        return true;
    }

    private static bool TryUtf8(ReadOnlySpan<byte> bytes, out string text)
    {
        bool valid = Utf8.IsValid(bytes);
        text = valid ? Encoding.UTF8.GetString(bytes) : "";
        return valid;
    }

    private static bool IsKeyword(ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty || name[0] == '-') return false;
        foreach (byte c in name)
            if (!char.IsAsciiLetterOrDigit((char)c) && c != '-') return false;
        return true;
    }

    private void SkipSpaces()
    {
        while (Peek is (byte)' ' or (byte)'\t') _at++;
    }

    private bool Bad(SmtpReply reply)
    {
        Fail(reply);
        return false;
    }

    private void FailExpected(string what) => Fail(Reply.Expected(what, _at + 1));
}
