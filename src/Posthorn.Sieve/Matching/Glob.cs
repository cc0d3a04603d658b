using System.Text;

namespace Posthorn.Sieve.Matching;

/// <summary>A pattern of <c>:matches</c> (RFC 5228 section 2.7.1): <c>*</c> and <c>?</c>, with captures that take as little as they can (RFC 5229 section 3.2).</summary>
internal sealed class Glob
{
    // The pieces between stars; each has a fixed length. A wildcard '?' inside a piece is marked in Any.
    private readonly record struct Piece(string Text, bool[]? Any);

    private readonly Piece[] _pieces;
    private readonly int _wildcards;
    private readonly bool _byOctets;
    private readonly Comparator _comparator;
    private readonly bool _isAscii;

    private Glob(List<Piece> pieces, int wildcards, Comparator comparator, bool byOctets, bool isAscii)
    {
        _pieces = [.. pieces];
        _wildcards = wildcards;
        _comparator = comparator;
        _byOctets = byOctets;
        _isAscii = isAscii;
    }

    public static Glob Compile(string pattern, Comparator comparator)
    {
        bool ascii = Ascii.IsValid(pattern);
        bool byOctets = comparator.ByOctets && !ascii;
        if (byOctets) pattern = SieveText.ToOctetString(pattern);
        List<Piece> pieces = [];
        StringBuilder text = new();
        List<int> any = [];
        int wildcards = 0;
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            if (c == '*')
            {
                pieces.Add(Make(text, any, comparator));
                wildcards++;
                continue;
            }
            if (c == '?')
            {
                any.Add(text.Length);
                wildcards++;
            }
            else if (c == '\\' && i + 1 < pattern.Length) c = pattern[++i];
            text.Append(c);
        }
        pieces.Add(Make(text, any, comparator));
        return new(pieces, wildcards, comparator, byOctets, ascii);
    }

    private static Piece Make(StringBuilder text, List<int> any, Comparator comparator)
    {
        bool[]? marks = null;
        if (any.Count > 0)
        {
            marks = new bool[text.Length];
            foreach (int i in any) marks[i] = true;
        }
        string literal = comparator.IgnoresCase ? FoldSimple(text.ToString(), comparator) : text.ToString();
        text.Clear();
        any.Clear();
        return new(literal, marks);
    }

    // Folding must keep lengths, or captures would not be places in the value.
    private static string FoldSimple(string text, Comparator comparator) =>
        comparator.ByOctets ? Comparator.AsciiCasemap.Fold(text) : text.ToUpperInvariant();

    /// <summary>Matches a whole value; fills <paramref name="captures"/> (index 0 the whole, then one for each wildcard) when it is given.</summary>
    public bool IsMatch(string value, List<string>? captures, StepBudget budget)
    {
        // '?' means one octet for octet comparators: values beyond ASCII are matched as octets.
        bool octets = _byOctets || (_comparator.ByOctets && _isAscii && !Ascii.IsValid(value));
        string subject = octets ? SieveText.ToOctetString(value) : value;
        string folded = _comparator.IgnoresCase ? FoldSimple(subject, _comparator) : subject;
        Span<int> starts = _pieces.Length <= 64 ? stackalloc int[_pieces.Length] : new int[_pieces.Length];
        if (!Place(folded, starts, budget)) return false;
        if (captures is not null) Capture(value, subject, starts, captures, octets);
        return true;
    }

    // The leftmost place for each piece leaves most room to the next, and gives the shortest captures.
    private bool Place(string text, Span<int> starts, StepBudget budget)
    {
        if (!FitsAt(_pieces[0], text, 0)) return false;
        starts[0] = 0;
        int at = _pieces[0].Text.Length;
        if (_pieces.Length == 1) return at == text.Length;
        for (int i = 1; i < _pieces.Length - 1; i++)
        {
            int found = Find(_pieces[i], text, at, budget);
            if (found < 0) return false;
            starts[i] = found;
            at = found + _pieces[i].Text.Length;
        }
        int last = text.Length - _pieces[^1].Text.Length;
        if (last < at || !FitsAt(_pieces[^1], text, last)) return false;
        starts[^1] = last;
        return true;
    }

    private static int Find(Piece piece, string text, int from, StepBudget budget)
    {
        if (piece.Any is null)
        {
            if (piece.Text.Length == 0) return from;
            return TextSearch.IndexOf(text, piece.Text, from, budget);
        }
        for (int i = from; i + piece.Text.Length <= text.Length; i++)
        {
            budget.Spend(1 + piece.Text.Length / 8);
            if (FitsAt(piece, text, i)) return i;
        }
        return -1;
    }

    private static bool FitsAt(Piece piece, string text, int at)
    {
        if (at + piece.Text.Length > text.Length) return false;
        if (piece.Any is null) return text.AsSpan(at, piece.Text.Length).SequenceEqual(piece.Text);
        for (int i = 0; i < piece.Text.Length; i++)
            if (!piece.Any[i] && text[at + i] != piece.Text[i]) return false;
        return true;
    }

    private void Capture(string value, string subject, ReadOnlySpan<int> starts, List<string> captures, bool octets)
    {
        captures.Clear();
        captures.EnsureCapacity(_wildcards + 1);
        captures.Add(value);
        int at = 0;
        for (int i = 0; i < _pieces.Length; i++)
        {
            if (i > 0) captures.Add(Take(subject, at, starts[i] - at, octets));
            Piece piece = _pieces[i];
            for (int j = 0; piece.Any is not null && j < piece.Any.Length; j++)
                if (piece.Any[j]) captures.Add(Take(subject, starts[i] + j, 1, octets));
            at = starts[i] + piece.Text.Length;
        }
    }

    private static string Take(string subject, int start, int length, bool octets) =>
        octets ? SieveText.FromOctetString(subject.AsSpan(start, length)) : subject.Substring(start, length);
}
