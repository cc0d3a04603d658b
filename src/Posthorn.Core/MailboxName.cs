using System.Text;

namespace Posthorn.Core;

/// <summary>A mailbox's full name in Unicode NFC, levels parted by the store's separator. <c>INBOX</c> in any case is one name (RFC 9051 section 5.1).</summary>
public readonly record struct MailboxName
{
    /// <summary>The longest name accepted, octets of UTF-8 over all levels.</summary>
    public const int MaxLength = 1000;

    private readonly string? _value;

    private MailboxName(string value) => _value = value;

    public static MailboxName Inbox { get; } = new("INBOX");

    public string Value => _value ?? throw new InvalidOperationException("This MailboxName was never set.");

    public bool IsInbox => _value == "INBOX";

    /// <summary>Reads a name: not empty, no empty level, no control characters (RFC 9051 section 5.1), well-formed Unicode.</summary>
    public static bool TryCreate(string text, char separator, out MailboxName name)
    {
        name = default;
        if (text.Length == 0 || Encoding.UTF8.GetByteCount(text) > MaxLength) return false;
        if (text[0] == separator || text[^1] == separator) return false;
        char last = '\0';
        foreach (Rune rune in text.EnumerateRunes())
            if (Rune.IsControl(rune) || rune == Rune.ReplacementChar || rune.Value is 0x2028 or 0x2029 or 0xFFFE) return false;
        foreach (char c in text)
        {
            if (c == separator && last == separator) return false;
            last = c;
        }
        string value = text.IsNormalized() ? text : text.Normalize();
        // INBOX is one name in any case, as a whole and as the first level above children.
        if (value.StartsWith("INBOX", StringComparison.OrdinalIgnoreCase) && (value.Length == 5 || value[5] == separator))
            value = "INBOX" + value[5..];
        name = new(value);
        return true;
    }

    public override string ToString() => _value ?? "";
}
