namespace Posthorn.Mime.Tests;

/// <summary>A strict reader of the formal syntax of RFC 9051 section 9 for <c>envelope</c> and <c>body</c>, held to what RFC 3501 allows as well: no 8-bit bytes in quoted strings.</summary>
internal sealed class ImapChecker(string text)
{
    private int _at;

    /// <summary>Throws if the text is no envelope.</summary>
    public static void Envelope(string text) => new ImapChecker(text).All(c => c.Envelope());

    /// <summary>Throws if the text is no body. Extended: all extension fields must be there.</summary>
    public static void Body(string text, bool extended) => new ImapChecker(text).All(c => c.Body(extended));

    private void All(Action<ImapChecker> rule)
    {
        rule(this);
        if (_at != text.Length) Fail("end");
    }

    private void Envelope()
    {
        Expect('(');
        NString(); Space();
        NString(); Space();
        for (int i = 0; i < 6; i++) { Addresses(); Space(); }
        NString(); Space();
        NString();
        Expect(')');
    }

    private void Addresses()
    {
        if (TryNil()) return;
        Expect('(');
        bool inGroup = false;
        do
        {
            Expect('(');
            string? name = NString(); Space();
            NString(); Space();
            string? mailbox = NString(); Space();
            string? host = NString();
            Expect(')');
            if (host is not null && mailbox is null) Fail("mailbox with its host");
            if (host is null && name is not null) Fail("NIL name in a group mark");
            if (host is not null) continue;
            if (mailbox is null != inGroup) Fail("groups that open and close in turn");
            inGroup = mailbox is not null;
        }
        while (Peek() == '(');
        if (inGroup) Fail("the end of the group");
        Expect(')');
    }

    private void Body(bool extended)
    {
        Expect('(');
        if (Peek() == '(') Multipart(extended);
        else Single(extended);
        Expect(')');
    }

    private void Multipart(bool extended)
    {
        while (Peek() == '(') Body(extended);
        Space();
        String();
        if (!extended) return;
        Space();
        Parameters();
        Tail();
    }

    private void Single(bool extended)
    {
        string type = String(); Space();
        string subtype = String(); Space();
        if (type.Length == 0 || subtype.Length == 0 || type.Equals("multipart", StringComparison.OrdinalIgnoreCase)) Fail("a type");
        Parameters(); Space();
        NString(); Space();
        NString(); Space();
        if (String().Length == 0) Fail("an encoding"); // NIL stops K-9
        Space();
        Number();
        if (type.Equals("message", StringComparison.OrdinalIgnoreCase) && (subtype.Equals("rfc822", StringComparison.OrdinalIgnoreCase) || subtype.Equals("global", StringComparison.OrdinalIgnoreCase)))
        {
            Space();
            Envelope();
            Space();
            Body(extended);
            Space();
            Number();
        }
        else if (type.Equals("text", StringComparison.OrdinalIgnoreCase))
        {
            Space();
            Number();
        }
        if (!extended) return;
        Space();
        NString();
        Tail();
    }

    private void Tail()
    {
        Space();
        if (!TryNil())
        {
            Expect('(');
            String(); Space();
            Parameters();
            Expect(')');
        }
        Space();
        if (!TryNil())
        {
            Expect('(');
            String();
            while (Peek() == ' ') { Space(); String(); }
            Expect(')');
        }
        Space();
        NString();
    }

    private void Parameters()
    {
        if (TryNil()) return;
        Expect('(');
        String(); Space(); String();
        while (Peek() == ' ') { Space(); String(); Space(); String(); }
        Expect(')');
    }

    private string? NString() => TryNil() ? null : String();

    private bool TryNil()
    {
        if (string.CompareOrdinal(text, _at, "NIL", 0, 3) != 0) return false;
        _at += 3;
        return true;
    }

    private string String()
    {
        if (Peek() == '{') return Literal();
        Expect('"');
        int start = _at;
        while (Peek() != '"')
        {
            char c = text[_at++];
            if (c is '\r' or '\n' or '\0' or > (char)127) Fail("a quoted string of TEXT-CHAR");
            if (c == '\\' && text[_at++] is not ('"' or '\\')) Fail("an escape");
        }
        return text[start..(_at++)];
    }

    private string Literal()
    {
        Expect('{');
        int length = (int)Number();
        Expect('}'); Expect('\r'); Expect('\n');
        string literal = text.Substring(_at, length);
        if (literal.Contains('\0')) Fail("a literal of CHAR8");
        _at += length;
        return literal;
    }

    private long Number()
    {
        int start = _at;
        while (char.IsAsciiDigit(Peek())) _at++;
        if (start == _at) Fail("a number");
        return long.Parse(text[start.._at], System.Globalization.CultureInfo.InvariantCulture);
    }

    private void Space() => Expect(' ');

    private void Expect(char c)
    {
        if (Peek() != c) Fail($"'{c}'");
        _at++;
    }

    private char Peek() => _at < text.Length ? text[_at] : '\uffff';

    private void Fail(string wanted) => throw new FormatException($"Expected {wanted} at {_at}: …{text[Math.Max(0, _at - 40)..Math.Min(text.Length, _at + 40)]}");
}
