using System.Text;
using Posthorn.Mime;

namespace Posthorn.Store;

/// <summary>Whether messages match a text criterion, on their decoded text (RFC 9051 section 6.4.4). Not for two threads at once.</summary>
public sealed class MessageSearch(TextCriterion criterion, MimeLimits limits)
{
    private readonly TextMatcher _matcher = new(criterion.Needle);
    private readonly byte[] _field = Encoding.ASCII.GetBytes(criterion.HeaderName);
    private readonly bool _holdsAddresses = criterion.HeaderName.ToLowerInvariant() is "from" or "to" or "cc" or "bcc" or "sender" or "reply-to";

    /// <summary>Whether one message matches.</summary>
    public bool Matches(ReadOnlyMemory<byte> message)
    {
        if (criterion.Scope == TextScope.Header) return MatchesField(message.Span);
        MimeStructure structure = MimeStructure.Parse(message.Span, limits);
        return MessageText.Contains(message, structure, criterion.Scope == TextScope.All ? Mime.TextScope.All : Mime.TextScope.Body, _matcher, limits);
    }

    private bool MatchesField(ReadOnlySpan<byte> message)
    {
        foreach (HeaderField field in new HeaderReader(message))
            if (field.Is(_field) && (criterion.Needle.Length == 0 || _matcher.IsIn(EncodedWord.Decode(field.RawValue)) || _holdsAddresses && MatchesAddress(field.RawValue))) return true;
        return false;
    }

    // Folds, comments and quotes are no part of an address in the envelope structure.
    private bool MatchesAddress(ReadOnlySpan<byte> rawValue)
    {
        foreach (MailAddress address in AddressList.Parse(rawValue, limits))
            if (_matcher.IsIn(TextOf(address))) return true;
        return false;
    }

    /// <summary>An address as people write it who search for it.</summary>
    internal static string TextOf(MailAddress address) => $"{address.Name} <{address.Address}>";
}
