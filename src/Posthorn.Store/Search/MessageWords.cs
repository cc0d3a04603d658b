using System.Text;
using Posthorn.Mime;

namespace Posthorn.Store.Search;

/// <summary>The words of one message, as the index takes them; null when there are too many to keep.</summary>
/// <param name="Head">Those of its own header and of inner ones.</param>
/// <param name="Body">Those of its text parts.</param>
/// <param name="Fields">The texts of some fields of its own header.</param>
internal sealed record MessageWords(IReadOnlyList<string> Head, IReadOnlyList<string> Body, IReadOnlyList<FieldText> Fields)
{
    /// <summary>Different words of one message's header or body at most. 50,000: a thick novel has fewer; a log file of megabytes is quicker to read than to index.</summary>
    internal const int Most = 50_000;

    /// <summary>Reads a message exactly as <see cref="MessageSearch"/> does.</summary>
    internal static MessageWords? Of(ReadOnlyMemory<byte> message, MimeLimits limits, WordBreaker breaker)
    {
        MimeStructure structure = MimeStructure.Parse(message.Span, limits);
        breaker.Clear();
        Read(message, structure, Mime.TextScope.Header | Mime.TextScope.InnerHeaders, limits, breaker);
        Rest(message.Span, structure, limits, breaker);
        if (breaker.IsTooMuch) return null;
        string[] head = [.. breaker.Words];
        breaker.Clear();
        Read(message, structure, Mime.TextScope.Body, limits, breaker);
        return breaker.IsTooMuch ? null : new(head, [.. breaker.Words], KeptFields.Read(message.Span, limits));
    }

    private static void Read(ReadOnlyMemory<byte> message, MimeStructure structure, Mime.TextScope scope, MimeLimits limits, WordBreaker breaker)
    {
        using MessageText text = new(message, structure, scope, limits);
        while (text.MoveNext())
        {
            if (text.IsStart) breaker.End();
            Feed(text.Current, breaker);
        }

        breaker.End();
    }

    // SEARCH HEADER looks at all of a header, TEXT at what is within the limits.
    private static void Rest(ReadOnlySpan<byte> message, MimeStructure structure, MimeLimits limits, WordBreaker breaker)
    {
        if (structure.Root.Header(message).Length <= Math.Min(limits.MaxHeaderBytes, limits.MaxHeaderFields)) return;
        foreach (HeaderField field in new HeaderReader(message))
        {
            Feed($"{Encoding.Latin1.GetString(field.Name)}: {EncodedWord.Decode(field.RawValue)}", breaker);
            breaker.End();
        }
    }

    private static void Feed(ReadOnlySpan<char> text, WordBreaker breaker) => breaker.Feed(Ascii.IsValid(text) ? text : TextMatcher.Fold(text.ToString()));
}
