using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Store.Maildir;

/// <summary>One line of a <c>dovecot-uidlist</c>: a message, its GUID when it has one of its own, and what else stood there.</summary>
internal sealed record UidListEntry(Uid Uid, string Base, string? Guid)
{
    /// <summary>The other fields (<c>P</c> POP3 UIDL, <c>O</c> POP3 order, <c>S</c> and <c>W</c> sizes…), kept as they were.</summary>
    internal string Extra { get; init; } = "";

    /// <summary>The message's EMAILID: its GUID where that can be one, else made from what Dovecot takes for the GUID, always the same.</summary>
    internal EmailId EmailId => Guid is { Length: > 0 and <= 255 } guid && guid.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') ? new(guid) : EmailIdOf(Guid ?? Base);

    /// <summary>What the catalogue keeps beside the EMAILID: a GUID that cannot be one has to be kept in words.</summary>
    internal string Kept => Guid is null || EmailId.Value == Guid ? Extra : $"G{Guid} {Extra}".TrimEnd();

    /// <summary>A message as we list it. Where the EMAILID came from the name, Dovecot finds the GUID there too.</summary>
    internal static UidListEntry Of(Uid uid, string baseName, EmailId email, string kept)
    {
        string? guid = email == EmailIdOf(baseName) || kept.StartsWith('G') ? null : email.Value;
        return new(uid, baseName, guid) { Extra = kept };
    }

    /// <summary>The POP3 UIDL among a message's fields; null where Dovecot made none for it alone.</summary>
    internal static string? Pop3UidlOf(string fields) =>
        fields.Split(' ').FirstOrDefault(field => field.Length > 1 && field[0] == 'P')?[1..];

    private static EmailId EmailIdOf(string text) => new(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 16)));
}

/// <summary>A folder's <c>dovecot-uidlist</c>, version 3 as Dovecot writes it; versions 1 and Courier's are read too.</summary>
internal sealed record UidList(UidValidity Validity, Uid UidNext, string? Guid, IReadOnlyList<UidListEntry> Entries)
{
    internal const string FileName = "dovecot-uidlist";

    /// <summary>
    /// The highest next UID that is believed. Nobody has received so many messages; whoever wrote more has damaged or made up the file, and from there on numbers would end.
    /// Then there is no honest way but a new UIDVALIDITY (RFC 9051 section 2.3.1.1).
    /// </summary>
    internal const uint MostNext = 0xf000_0000;

    /// <summary>Whether its messages had to get other numbers, for which a UIDVALIDITY is still to be found.</summary>
    internal bool IsRenumbered { get; private init; }

    /// <summary>The same messages in the same order, numbered from 1.</summary>
    internal UidList Renumbered() => this with { IsRenumbered = true, UidNext = new((uint)Entries.Count + 1), Entries = [.. Entries.Select((entry, at) => entry with { Uid = new((uint)at + 1) })] };

    internal string Format()
    {
        StringBuilder text = new(64 + Entries.Count * 96);
        text.Append(CultureInfo.InvariantCulture, $"3 V{Validity.Value} N{UidNext.Value}");
        if (Guid is not null) text.Append(" G").Append(Guid);
        text.Append('\n');
        foreach (UidListEntry entry in Entries)
        {
            text.Append(CultureInfo.InvariantCulture, $"{entry.Uid.Value} ");
            if (entry.Guid is not null && entry.Guid != entry.Base) text.Append('G').Append(entry.Guid).Append(' ');
            if (entry.Extra.Length > 0) text.Append(entry.Extra).Append(' ');
            text.Append(':').Append(entry.Base).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>A line has a name of at most 255 octets and some fields.</summary>
    private const int LongestLine = 16 << 10;

    /// <summary>Reads a list; null when the header is none. Lines that make no sense are passed over, a last line without its end too.</summary>
    internal static UidList? Parse(string text)
    {
        int at = text.IndexOf('\n', StringComparison.Ordinal);
        if (at < 0) return null;
        string[] head = text[..Math.Min(at, LongestLine)].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        uint validity = 0, next = 1;
        string? guid = null;
        if (head is ["3", ..])
        {
            foreach (string field in head.AsSpan(1))
            {
                if (field[0] == 'V') _ = uint.TryParse(field.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out validity);
                else if (field[0] == 'N') _ = uint.TryParse(field.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out next);
                else if (field[0] == 'G') guid = field[1..];
            }
        }
        else if (head is ["1", _, _, ..])
        {
            _ = uint.TryParse(head[1], NumberStyles.None, CultureInfo.InvariantCulture, out validity);
            _ = uint.TryParse(head[2], NumberStyles.None, CultureInfo.InvariantCulture, out next);
        }

        if (validity == 0) return null;
        List<UidListEntry> entries = [];
        for (int start = at + 1; (at = text.IndexOf('\n', start)) >= 0; start = at + 1)
            if (at - start <= LongestLine && Entry(text[start..at], head[0] == "1") is { } entry && (entries.Count == 0 || entries[^1].Uid < entry.Uid)) entries.Add(entry);
        if (entries.Count > 0) next = (uint)Math.Max(next, Math.Min((ulong)entries[^1].Uid.Value + 1, uint.MaxValue));
        return new(new(validity), new(next), guid, entries);
    }

    private static UidListEntry? Entry(string line, bool old)
    {
        int space = line.IndexOf(' ', StringComparison.Ordinal);
        if (space < 1 || !uint.TryParse(line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out uint uid) || uid == 0) return null;
        if (old) return new(new(uid), MaildirName.BaseOf(line[(space + 1)..]), null);
        int colon = line.IndexOf(" :", space, StringComparison.Ordinal);
        if (colon < 0) return null;
        string? guid = null;
        List<string> extra = [];
        foreach (string field in line[space..colon].Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (field[0] == 'G') guid = field[1..];
            else extra.Add(field);
        }

        return new(new(uid), MaildirName.BaseOf(line[(colon + 2)..]), guid) { Extra = string.Join(' ', extra) };
    }
}
