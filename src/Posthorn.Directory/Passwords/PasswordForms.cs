using System.Text;

namespace Posthorn.Directory.Passwords;

/// <summary>The readings of a password's octets. Programs send UTF-8, ISO 8859-1 or text that nobody normalised, and hashes were made of any of these.</summary>
internal static class PasswordForms
{
    /// <summary>All distinct readings, the likeliest first; one for ASCII, at most four else.</summary>
    public static IReadOnlyList<(PasswordForm Form, byte[] Octets)> Of(ReadOnlySpan<byte> sent)
    {
        List<(PasswordForm, byte[])> forms = [(PasswordForm.AsSent, sent.ToArray())];
        if (Ascii.IsValid(sent)) return forms;
        if (!System.Text.Unicode.Utf8.IsValid(sent))
        {
            Add(forms, PasswordForm.FromLatin1, Encoding.UTF8.GetBytes(Encoding.Latin1.GetString(sent).Normalize()));
            return forms;
        }
        string text = Encoding.UTF8.GetString(sent);
        // No character, and normalising it throws: only the octets count.
        if (text.Contains('\uFFFE', StringComparison.Ordinal)) return forms;
        Add(forms, PasswordForm.OpaqueString, Encoding.UTF8.GetBytes(OpaqueString(text)));
        if (SaslPrep(text) is { } prepared) Add(forms, PasswordForm.SaslPrep, Encoding.UTF8.GetBytes(prepared));
        string composed = text.Normalize();
        if (composed.All(static c => c <= 0xFF)) Add(forms, PasswordForm.Latin1, Encoding.Latin1.GetBytes(composed));
        return forms;
    }

    /// <summary>The OpaqueString profile: other spaces become U+0020, then NFC (RFC 8265 section 4.2.2).</summary>
    public static string OpaqueString(string text)
    {
        StringBuilder mapped = new(text.Length);
        foreach (char c in text) mapped.Append(IsSpace(c) ? ' ' : c);
        return mapped.ToString().Normalize();
    }

    /// <summary>SASLprep: spaces to U+0020, what is mapped to nothing left out, NFKC; null where it prohibits a character (RFC 4013 section 2).</summary>
    public static string? SaslPrep(string text)
    {
        if (Ascii.IsValid(text)) return text.Any(char.IsControl) ? null : text;
        StringBuilder mapped = new(text.Length);
        foreach (char c in text)
            if (!IsMappedToNothing(c)) mapped.Append(IsSpace(c) ? ' ' : c);
        string result;
        try { result = mapped.ToString().Normalize(NormalizationForm.FormKC); }
        catch (ArgumentException) { return null; } // lone surrogates, U+FFFE
        foreach (Rune rune in result.EnumerateRunes())
        {
            if (Rune.IsControl(rune) || rune == Rune.ReplacementChar) return null;
            if (Rune.GetUnicodeCategory(rune) is System.Globalization.UnicodeCategory.PrivateUse) return null;
        }
        return result;
    }

    private static void Add(List<(PasswordForm, byte[])> forms, PasswordForm form, byte[] octets)
    {
        foreach ((_, byte[] known) in forms)
            if (known.AsSpan().SequenceEqual(octets)) return;
        forms.Add((form, octets));
    }

    // RFC 3454 table C.1.2.
    private static bool IsSpace(char c) => c is '\u00A0' or '\u1680' or (>= '\u2000' and <= '\u200B') or '\u202F' or '\u205F' or '\u3000';

    // RFC 3454 table B.1.
    private static bool IsMappedToNothing(char c) =>
        c is '\u00AD' or '\u034F' or '\u1806' or (>= '\u180B' and <= '\u180D') or '\u200C' or '\u200D' or '\u2060' or (>= '\uFE00' and <= '\uFE0F') or '\uFEFF';
}
