using System.Buffers.Text;
using System.Text;

namespace Posthorn.Pop3.Wire;

/// <summary>Reads the arguments of a command (RFC 2449 section 3). Keeps its first error; what is read after it is a default.</summary>
internal ref struct Pop3Reader(ReadOnlySpan<byte> arguments)
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private ReadOnlySpan<byte> _rest = arguments;

    public Reply? Error { get; private set; }

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>Nothing but blanks is left.</summary>
    public readonly bool IsBlank => !_rest.ContainsAnyExcept((byte)' ');

    /// <summary>One word.</summary>
    public ReadOnlySpan<byte> Word(string what)
    {
        SkipSpaces();
        int end = _rest.IndexOf((byte)' ');
        if (end < 0) end = _rest.Length;
        ReadOnlySpan<byte> word = _rest[..end];
        _rest = _rest[end..];
        if (word.IsEmpty) Fail(what);
        return word;
    }

    /// <summary>One word in UTF-8 (RFC 6856 section 2.2); other octets are refused.</summary>
    public string Text(string what)
    {
        ReadOnlySpan<byte> word = Word(what);
        try { return Strict.GetString(word); }
        catch (ArgumentException)
        {
            Fail(what + " in UTF-8");
            return "";
        }
    }

    /// <summary>All that is left, spaces included: a password (RFC 1939 section 7, PASS).</summary>
    public byte[] Rest(string what)
    {
        if (_rest.Length > 0) _rest = _rest[1..]; // the one space behind the keyword
        byte[] rest = _rest.ToArray();
        _rest = default;
        if (rest.Length == 0) Fail(what);
        return rest;
    }

    /// <summary>A message number, from 1.</summary>
    public int MessageNumber()
    {
        int number = Number("a message number");
        if (number == 0) Fail("a message number from 1");
        return number;
    }

    /// <summary>A number from 0; what is larger than any count of messages or lines is as good as the largest.</summary>
    public int Number(string what)
    {
        ReadOnlySpan<byte> word = Word(what);
        if (!word.IsEmpty && !word.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            return Utf8Parser.TryParse(word, out int number, out int used) && used == word.Length ? number : int.MaxValue;
        Fail(what);
        return 0;
    }

    public void End()
    {
        SkipSpaces();
        if (!_rest.IsEmpty) Fail("the end of the line");
    }

    private void Fail(string what) => Error ??= Reply.Expected(what);

    // Clients in the field send a space too many.
    private void SkipSpaces() => _rest = _rest.TrimStart((byte)' ');
}
