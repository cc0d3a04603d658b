using System.Text;

namespace Posthorn.Mime.Recoding;

/// <summary>Writes one header field in ASCII, folded where lines would become too long (RFC 2047 section 2).</summary>
internal sealed class FieldLine(string name)
{
    /// <summary>The longest line with encoded words, and the longest encoded word (RFC 2047 section 2).</summary>
    private const int MaxLine = 76, MaxWord = 75;

    private const string QStart = "=?utf-8?Q?", BStart = "=?utf-8?B?", End = "?=";

    /// <summary>Octets of one base64 word: whole groups of three.</summary>
    private const int MaxBase64 = (MaxWord - 12) / 4 * 3;

    private readonly StringBuilder _text = new($"{name}:");
    private int _column = name.Length + 1;

    public override string ToString() => _text.ToString();

    /// <summary>Takes over ASCII as it is.</summary>
    public void Raw(ReadOnlySpan<char> text)
    {
        _text.Append(text);
        int feed = text.LastIndexOf('\n');
        _column = feed < 0 ? _column + text.Length : text.Length - feed - 1;
    }

    /// <summary>A word after a blank, or after a fold, which reads as one.</summary>
    public void Word(string word)
    {
        Raw(word.Length > 0 && _column + 1 + word.Length > MaxLine ? "\r\n " : " ");
        Raw(word);
    }

    /// <summary>Text as encoded words, each whole letters and within its bounds; blanks between them are not read.</summary>
    /// <param name="text">The text.</param>
    /// <param name="blankFirst">Stands a blank before it.</param>
    public void Encoded(string text, bool blankFirst)
    {
        foreach (string word in Words(text))
        {
            if (blankFirst) Word(word);
            else Raw(word);
            blankFirst = true;
        }
    }

    // Q can be read by people where most of it is plain.
    private static List<string> Words(string text) => text.EnumerateRunes().Count(IsPlain) * 2 >= text.EnumerateRunes().Count() ? Quoted(text) : Base64(text);

    private static List<string> Quoted(string text)
    {
        List<string> words = [];
        StringBuilder word = new(QStart);
        Span<byte> octets = stackalloc byte[4];
        foreach (Rune rune in text.EnumerateRunes())
        {
            string piece = rune.Value == ' ' ? "_" : IsPlain(rune) ? rune.ToString() : string.Concat(octets[..rune.EncodeToUtf8(octets)].ToArray().Select(octet => $"={octet:X2}"));
            if (word.Length + piece.Length + End.Length > MaxWord)
            {
                words.Add(word.Append(End).ToString());
                word.Clear().Append(QStart);
            }
            word.Append(piece);
        }
        words.Add(word.Append(End).ToString());
        return words;
    }

    private static List<string> Base64(string text)
    {
        List<string> words = [];
        List<byte> word = [];
        Span<byte> octets = stackalloc byte[4];
        foreach (Rune rune in text.EnumerateRunes())
        {
            int length = rune.EncodeToUtf8(octets);
            if (word.Count + length > MaxBase64)
            {
                words.Add(BStart + Convert.ToBase64String([.. word]) + End);
                word.Clear();
            }
            word.AddRange(octets[..length]);
        }
        words.Add(BStart + Convert.ToBase64String([.. word]) + End);
        return words;
    }

    // What may stand as it is wherever encoded words may (RFC 2047 section 5, the third rule).
    private static bool IsPlain(Rune rune) => rune.Value == ' ' || rune.IsAscii && (char.IsAsciiLetterOrDigit((char)rune.Value) || rune.Value is '!' or '*' or '+' or '-' or '/');
}
