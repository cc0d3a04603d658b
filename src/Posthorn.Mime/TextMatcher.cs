using System.Buffers;
using System.Text;

namespace Posthorn.Mime;

/// <summary>Looks for a substring, ignoring case as i;unicode-casemap does: decomposed (NFKD) and upper-cased (RFC 5051; RFC 5255 section 4.2).</summary>
/// <remarks>Takes a text in chunks; a match may lie across their border. Not for use by two threads at once.</remarks>
public sealed class TextMatcher
{
    private readonly string _key;
    private readonly SearchValues<string>? _asciiKey;
    private char[] _window = new char[1024];
    private int _kept;

    public TextMatcher(string key)
    {
        _key = Fold(key);
        // The vectorised search of the runtime folds ASCII itself: no copy of the text is made while it is ASCII.
        if (_key.Length > 0 && Ascii.IsValid(_key)) _asciiKey = SearchValues.Create([_key], StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The folded form that is compared.</summary>
    public static string Fold(string text)
    {
        if (Ascii.IsValid(text)) return text.ToUpperInvariant();
        try
        {
            return text.Normalize(NormalizationForm.FormKD).ToUpperInvariant();
        }
        catch (ArgumentException)
        {
            // A lone surrogate cannot be normalised.
            return text.ToUpperInvariant();
        }
    }

    /// <summary>Forgets what came before: the next chunk starts another text.</summary>
    public void Reset() => _kept = 0;

    /// <summary>True if the key ends in this chunk of the text.</summary>
    public bool Feed(ReadOnlySpan<char> chunk)
    {
        if (_key.Length == 0) return true;
        bool ascii = Ascii.IsValid(chunk);
        if (ascii && _asciiKey is not null && _kept == 0 && chunk.ContainsAny(_asciiKey)) return true;
        ReadOnlySpan<char> folded = ascii ? chunk : Fold(chunk.ToString());
        // Of the text before, only as much as a match could need is kept.
        if (ascii && _asciiKey is not null && _kept == 0)
        {
            Keep(folded, upper: true);
            return false;
        }
        if (_window.Length < _kept + folded.Length) Array.Resize(ref _window, _kept + folded.Length);
        if (ascii) folded.ToUpperInvariant(_window.AsSpan(_kept));
        else folded.CopyTo(_window.AsSpan(_kept));
        ReadOnlySpan<char> window = _window.AsSpan(0, _kept + folded.Length);
        if (window.IndexOf(_key) >= 0) return true;
        Keep(window, upper: false);
        return false;
    }

    /// <summary>True if the text holds the key.</summary>
    public bool IsIn(ReadOnlySpan<char> text)
    {
        Reset();
        bool found = Feed(text);
        Reset();
        return found;
    }

    private void Keep(ReadOnlySpan<char> window, bool upper)
    {
        ReadOnlySpan<char> tail = window[Math.Max(0, window.Length - (_key.Length - 1))..];
        if (_window.Length < tail.Length) Array.Resize(ref _window, tail.Length);
        if (upper) tail.ToUpperInvariant(_window);
        else tail.CopyTo(_window);
        _kept = tail.Length;
    }
}
