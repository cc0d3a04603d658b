using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Mime;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>A relative URL of a message here, or of a part of one (RFC 5092 section 6, as RFC 4469 uses it): <c>/INBOX;UIDVALIDITY=785799047/;UID=113330/;SECTION=1.5.9/;PARTIAL=0.100</c>.</summary>
/// <param name="Mailbox">Its mailbox; null for the selected one.</param>
/// <param name="Validity">The UIDVALIDITY that must hold.</param>
/// <param name="Message">Which message.</param>
/// <param name="Section">Which part of it; null for all.</param>
/// <param name="Partial">Which octets of that.</param>
internal sealed record MessageUrl(MailboxName? Mailbox, uint? Validity, Uid Message, SectionPath? Section, (long Offset, long? Count)? Partial)
{
    public static bool TryParse(string text, char separator, [NotNullWhen(true)] out MessageUrl? url)
    {
        url = null;
        // Absolute URLs are others' affair (RFC 4469 section 3).
        if (text.Contains("://", StringComparison.Ordinal) || text.StartsWith("//", StringComparison.Ordinal)) return false;
        int at = text.IndexOf(";UID=", StringComparison.OrdinalIgnoreCase);
        if (at < 0 || at > 1 && text[at - 1] != '/') return false;
        string[] parts = text[(at + 5)..].Split("/;");
        if (!uint.TryParse(parts[0].TrimEnd('/'), NumberStyles.None, CultureInfo.InvariantCulture, out uint uid) || uid == 0) return false;
        if (!TryMailbox(text[..at].Trim('/'), separator, out MailboxName? mailbox, out uint? validity)) return false;
        SectionPath? section = null;
        (long, long?)? partial = null;
        foreach (string part in parts.AsSpan(1))
        {
            string[] pair = part.Split('=', 2);
            if (pair is not [string name, string value]) return false;
            if (name.Equals("SECTION", StringComparison.OrdinalIgnoreCase) && section is null && Decode(value) is { } path && SectionPath.TryParse(Encoding.UTF8.GetBytes(path), out SectionPath parsed)) section = parsed;
            else if (name.Equals("PARTIAL", StringComparison.OrdinalIgnoreCase) && TryPartial(value, out (long, long?) range)) partial = range;
            else return false;
        }

        url = new(mailbox, validity, new(uid), section, partial);
        return true;
    }

    /// <summary>It names a part, so that the message's structure must be known.</summary>
    public bool NeedsStructure => Section is not null && !Section.Equals(SectionPath.Whole);

    /// <summary>Where the octets lie; false when the message has no such part.</summary>
    public bool TryRange(IMessageContent content, LastStructure parsed, out long offset, out long length)
    {
        (offset, length) = (0, content.Length);
        if (Section is not null && NeedsStructure)
        {
            if (!Section.TryResolve(parsed.Structure, out SectionRange range)) return false;
            (offset, length) = (range.Offset, range.Length);
        }

        if (Partial is not { } piece) return true;
        long skip = Math.Min(piece.Offset, length);
        (offset, length) = (offset + skip, Math.Min(piece.Count ?? long.MaxValue, length - skip));
        return true;
    }

    /// <summary>The header fields that the section picks; null when the message has no such part.</summary>
    public ReadOnlyMemory<byte>? PickFields(IMessageContent content, LastStructure parsed)
    {
        if (Section is null || !Section.TryResolve(parsed.Structure, out SectionRange range)) return null;
        ArrayBufferWriter<byte> picked = new();
        WholeMessage.Pick(content, range.Offset, range.Length, Section, null, picked);
        if (Partial is not { } piece) return picked.WrittenMemory;
        int skip = (int)Math.Min(piece.Offset, picked.WrittenCount);
        return picked.WrittenMemory.Slice(skip, (int)Math.Min(piece.Count ?? long.MaxValue, picked.WrittenCount - skip));
    }

    private static bool TryMailbox(string text, char separator, out MailboxName? mailbox, out uint? validity)
    {
        (mailbox, validity) = (null, null);
        int mark = text.IndexOf(";UIDVALIDITY=", StringComparison.OrdinalIgnoreCase);
        if (mark >= 0)
        {
            if (!uint.TryParse(text[(mark + 13)..], NumberStyles.None, CultureInfo.InvariantCulture, out uint number)) return false;
            (validity, text) = (number, text[..mark]);
        }

        if (text.Length == 0) return validity is null;
        if (Decode(text) is not { } decoded || !MailboxName.TryCreate(decoded, separator, out MailboxName name)) return false;
        mailbox = name;
        return true;
    }

    private static bool TryPartial(string text, out (long, long?) range)
    {
        range = default;
        string[] numbers = text.Split('.');
        if (numbers.Length > 2 || !long.TryParse(numbers[0], NumberStyles.None, CultureInfo.InvariantCulture, out long offset)) return false;
        long? count = null;
        if (numbers.Length == 2)
        {
            if (!long.TryParse(numbers[1], NumberStyles.None, CultureInfo.InvariantCulture, out long length)) return false;
            count = length;
        }

        range = (offset, count);
        return true;
    }

    // Percent-encoding; null when it is none or not UTF-8.
    private static string? Decode(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int length = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != '%')
            {
                bytes[length++] = bytes[i];
                continue;
            }

            if (i + 2 >= bytes.Length || !byte.TryParse(bytes.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)) return null;
            bytes[length++] = value;
            i += 2;
        }

        return System.Text.Unicode.Utf8.IsValid(bytes.AsSpan(0, length)) ? Encoding.UTF8.GetString(bytes, 0, length) : null;
    }
}

/// <summary>The structure of the message that was named last: URLs that follow each other name parts of one message, as a rule, and it is read and parsed once for them.</summary>
internal sealed class LastStructure
{
    private (MailboxId Mailbox, Uid Message)? _of;
    private MimeStructure? _structure;

    /// <summary>The next URL names this message.</summary>
    public void Names(MailboxId mailbox, Uid message)
    {
        if (_of == (mailbox, message)) return;
        (_of, _structure) = ((mailbox, message), null);
    }

    public MimeStructure Structure => _structure ?? throw new InvalidOperationException("The message was not read.");

    /// <summary>Reads the message, unless it was read for the URL before.</summary>
    public async ValueTask ReadAsync(ImapSession session, IMessageContent content, CancellationToken cancel) => _structure ??= await WholeMessage.ParseAsync(session, content, cancel);
}
