using System.Globalization;
using System.Text;

namespace Posthorn.Sieve.Matching;

/// <summary>A collation of RFC 4790 as Sieve uses it (RFC 5228 section 2.7.3).</summary>
internal abstract class Comparator
{
    public static readonly Comparator AsciiCasemap = new AsciiCasemapComparator();
    public static readonly Comparator Octet = new OctetComparator();
    public static readonly Comparator AsciiNumeric = new NumericComparator();
    public static readonly Comparator UnicodeCasemap = new UnicodeCasemapComparator();

    public abstract string Name { get; }

    /// <summary>True when :contains, :matches and :regex can be used.</summary>
    public virtual bool HasSubstrings => true;

    /// <summary>True when the characters that '?' stands for are octets.</summary>
    public virtual bool ByOctets => true;

    /// <summary>True when letters of either case are the same.</summary>
    public virtual bool IgnoresCase => true;

    public static Comparator? Find(string name) => name switch
    {
        "i;ascii-casemap" => AsciiCasemap,
        "i;octet" => Octet,
        "i;ascii-numeric" => AsciiNumeric,
        "i;unicode-casemap" => UnicodeCasemap,
        _ => null,
    };

    /// <summary>The form in which two texts that are the same are equal character by character.</summary>
    public abstract string Fold(string text);

    public abstract bool AreEqual(string left, string right);

    public abstract bool Contains(string text, string key);

    public abstract int Compare(string left, string right);

    /// <summary>Orders by octets of UTF-8, which for UTF-16 is the order of code points.</summary>
    protected static int CompareOctets(string left, string right)
    {
        if (Ascii.IsValid(left) && Ascii.IsValid(right)) return string.CompareOrdinal(left, right);
        return SieveText.ToUtf8(left).AsSpan().SequenceCompareTo(SieveText.ToUtf8(right));
    }

    private sealed class OctetComparator : Comparator
    {
        public override string Name => "i;octet";
        public override bool IgnoresCase => false;
        public override string Fold(string text) => text;
        public override bool AreEqual(string left, string right) => string.Equals(left, right, StringComparison.Ordinal);
        public override bool Contains(string text, string key) => text.Contains(key, StringComparison.Ordinal);
        public override int Compare(string left, string right) => CompareOctets(left, right);
    }

    private sealed class AsciiCasemapComparator : Comparator
    {
        public override string Name => "i;ascii-casemap";

        public override string Fold(string text)
        {
            foreach (char c in text)
                if (char.IsAsciiLetterUpper(c))
                    return string.Create(text.Length, text, static (span, from) =>
                    {
                        for (int i = 0; i < from.Length; i++) span[i] = char.IsAsciiLetterUpper(from[i]) ? (char)(from[i] + 0x20) : from[i];
                    });
            return text;
        }

        public override bool AreEqual(string left, string right)
        {
            if (left.Length != right.Length) return false;
            for (int i = 0; i < left.Length; i++)
                if (left[i] != right[i] && !SameLetter(left[i], right[i])) return false;
            return true;
        }

        public override bool Contains(string text, string key) =>
            System.Text.Ascii.IsValid(key)
                ? text.Contains(key, StringComparison.OrdinalIgnoreCase)
                : Fold(text).Contains(Fold(key), StringComparison.Ordinal);

        public override int Compare(string left, string right) => CompareOctets(ToUpper(left), ToUpper(right));

        private static bool SameLetter(char left, char right) => char.IsAsciiLetter(left) && (left ^ right) == 0x20;

        // RFC 4790 section 9.2.1 folds to upper case, which matters for the order of '_' and the like.
        private static string ToUpper(string text)
        {
            foreach (char c in text)
                if (char.IsAsciiLetterLower(c))
                    return string.Create(text.Length, text, static (span, from) =>
                    {
                        for (int i = 0; i < from.Length; i++) span[i] = char.IsAsciiLetterLower(from[i]) ? (char)(from[i] - 0x20) : from[i];
                    });
            return text;
        }
    }

    /// <summary>RFC 4790 section 9.1: the leading digits as a number; a text without any is positive infinity.</summary>
    private sealed class NumericComparator : Comparator
    {
        public override string Name => "i;ascii-numeric";
        public override bool HasSubstrings => false;
        public override string Fold(string text) => text;
        public override bool AreEqual(string left, string right) => Compare(left, right) == 0;
        public override bool Contains(string text, string key) => false;

        public override int Compare(string left, string right)
        {
            ReadOnlySpan<char> a = Digits(left, out bool aInfinite);
            ReadOnlySpan<char> b = Digits(right, out bool bInfinite);
            if (aInfinite || bInfinite) return aInfinite.CompareTo(bInfinite);
            return a.Length != b.Length ? a.Length.CompareTo(b.Length) : a.SequenceCompareTo(b);
        }

        private static ReadOnlySpan<char> Digits(string text, out bool infinite)
        {
            int end = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
            ReadOnlySpan<char> digits = end < 0 ? text : text.AsSpan(0, end);
            infinite = digits.IsEmpty;
            return digits.TrimStart('0');
        }
    }

    /// <summary>RFC 5051: title case, then full compatibility decomposition.</summary>
    private sealed class UnicodeCasemapComparator : Comparator
    {
        public override string Name => "i;unicode-casemap";
        public override bool ByOctets => false;

        public override string Fold(string text)
        {
            if (System.Text.Ascii.IsValid(text)) return text.ToUpperInvariant();
            if (!SieveText.IsWellFormed(text)) return AsciiCasemap.Fold(text);
            StringBuilder title = new(text.Length);
            foreach (Rune rune in text.EnumerateRunes()) title.Append(Rune.ToUpperInvariant(rune).ToString());
            return title.ToString().Normalize(NormalizationForm.FormKD);
        }

        public override bool AreEqual(string left, string right) => string.Equals(Fold(left), Fold(right), StringComparison.Ordinal);
        public override bool Contains(string text, string key) => Fold(text).Contains(Fold(key), StringComparison.Ordinal);
        public override int Compare(string left, string right) => CompareOctets(Fold(left), Fold(right));
    }
}

/// <summary>The relations of RFC 5231 section 4.</summary>
internal enum Relation
{
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

internal static class Relations
{
    public static Relation? Find(string name) => name.ToLower(CultureInfo.InvariantCulture) switch
    {
        "gt" => Relation.Greater,
        "ge" => Relation.GreaterOrEqual,
        "lt" => Relation.Less,
        "le" => Relation.LessOrEqual,
        "eq" => Relation.Equal,
        "ne" => Relation.NotEqual,
        _ => null,
    };

    /// <summary>Whether an order (as of <see cref="IComparable"/>) satisfies the relation.</summary>
    public static bool Holds(this Relation relation, int order) => relation switch
    {
        Relation.Greater => order > 0,
        Relation.GreaterOrEqual => order >= 0,
        Relation.Less => order < 0,
        Relation.LessOrEqual => order <= 0,
        Relation.Equal => order == 0,
        _ => order != 0,
    };
}
