using System.Text;
using Posthorn.Core;
using Posthorn.Mime;

namespace Posthorn.Store.Search;

/// <summary>Header fields that people search in most: the index keeps their texts, since a word of a header may be anywhere in it. The numbers stand in its file.</summary>
internal enum KeptField
{
    Subject = 1,
    From,
    To,
    Cc,
}

/// <summary>The text of one of them as a search compares it, folded; null when it cannot be kept.</summary>
internal readonly record struct FieldText(KeptField Field, string? Text);

/// <summary>Reads those fields, and says where a needle may be in them.</summary>
internal static class KeptFields
{
    /// <summary>Longer texts are not kept, and those messages are read: a letter to a thousand people is rare.</summary>
    internal const int MostCharacters = 2_000;

    /// <summary>Between several texts of one message; no needle that is looked for here has it.</summary>
    private const char Between = '\n';

    private static readonly KeptField[] s_all = Enum.GetValues<KeptField>();

    /// <summary>The field that a criterion looks at; null when the index cannot tell.</summary>
    internal static KeptField? Of(TextCriterion criterion)
    {
        if (criterion.Scope != TextScope.Header || criterion.Needle.Length == 0 || criterion.Needle.Any(char.IsControl) || !UnicodeText.CanBeFolded(criterion.Needle)) return null;
        foreach (KeptField field in s_all)
            if (criterion.HeaderName.Equals(field.ToString(), StringComparison.OrdinalIgnoreCase)) return field;
        return null;
    }

    /// <summary>The texts of a message's own header; a field that is not there is empty.</summary>
    internal static List<FieldText> Read(ReadOnlySpan<byte> message, MimeLimits limits)
    {
        StringBuilder?[] texts = new StringBuilder?[s_all.Length];
        foreach (HeaderField field in new HeaderReader(message))
        {
            if (Of(field) is not { } kept) continue;
            StringBuilder text = texts[(int)kept - 1] ??= new();
            if (text.Length > MostCharacters) continue;
            text.Append(EncodedWord.Decode(field.RawValue)).Append(Between);
            if (kept == KeptField.Subject || text.Length > MostCharacters) continue;
            foreach (MailAddress address in AddressList.Parse(field.RawValue, limits)) text.Append(MessageSearch.TextOf(address)).Append(Between);
        }

        List<FieldText> found = new(s_all.Length);
        foreach (KeptField field in s_all)
        {
            string text = texts[(int)field - 1]?.ToString() ?? "";
            found.Add(new(field, IsKept(text) ? TextMatcher.Fold(text) : null));
        }

        return found;
    }

    private static KeptField? Of(in HeaderField field) =>
        field.Is("Subject"u8) ? KeptField.Subject
        : field.Is("From"u8) ? KeptField.From
        : field.Is("To"u8) ? KeptField.To
        : field.Is("Cc"u8) ? KeptField.Cc
        : null;

    // A database's text ends at NUL, and what is no Unicode would not come back the same.
    private static bool IsKept(string text) => text.Length <= MostCharacters && !text.Contains('\0', StringComparison.Ordinal) && UnicodeText.CanBeFolded(text);
}
