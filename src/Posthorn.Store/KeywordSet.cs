using System.Collections;
using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>An immutable set of keywords in the order of their names. Messages with the same keywords should share one.</summary>
public sealed class KeywordSet : IReadOnlyList<Keyword>, IEquatable<KeywordSet>
{
    private readonly Keyword[] _keywords;

    private KeywordSet(Keyword[] keywords) => _keywords = keywords;

    public static KeywordSet Empty { get; } = new([]);

    public int Count => _keywords.Length;

    public Keyword this[int index] => _keywords[index];

    public static KeywordSet Of(params IEnumerable<Keyword> keywords)
    {
        Keyword[] sorted = [.. keywords.Distinct().OrderBy(k => k.Name, StringComparer.OrdinalIgnoreCase)];
        return sorted.Length == 0 ? Empty : new(sorted);
    }

    public bool Contains(Keyword keyword) => Array.IndexOf(_keywords, keyword) >= 0;

    public KeywordSet Union(KeywordSet other) =>
        other.Count == 0 || other._keywords.All(Contains) ? this : Of(_keywords.Concat(other._keywords));

    public KeywordSet Except(KeywordSet other) =>
        Count == 0 || !_keywords.Any(other.Contains) ? this : Of(_keywords.Where(k => !other.Contains(k)));

    public bool Equals(KeywordSet? other) => other is not null && (ReferenceEquals(this, other) || _keywords.AsSpan().SequenceEqual(other._keywords));
    public override bool Equals(object? obj) => Equals(obj as KeywordSet);

    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (Keyword keyword in _keywords) hash.Add(keyword);
        return hash.ToHashCode();
    }

    public IEnumerator<Keyword> GetEnumerator() => ((IEnumerable<Keyword>)_keywords).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    public override string ToString() => string.Join(' ', _keywords);
}
