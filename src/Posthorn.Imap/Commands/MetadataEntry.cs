using System.Buffers;
using System.Text;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>Names and values of annotations on the wire (RFC 5464 sections 3.2 and 5).</summary>
internal static class MetadataEntry
{
    private static readonly SearchValues<char> Quoted = SearchValues.Create(" (){\"\\]");

    private const int MaxLength = 512; // names made by programs, such as /shared/vendor/x/y/z, have some fifty

    /// <summary>Where a mailbox's role is told as an annotation (RFC 6154 section 4).</summary>
    public const string SpecialUse = "/private/specialuse";

    /// <summary>Whom to write to about the server (RFC 5464 section 6.2.2).</summary>
    public const string Admin = "/shared/admin";

    /// <summary>A word about the server (RFC 5464 section 6.2.1).</summary>
    public const string Comment = "/shared/comment";

    /// <summary>Reads an entry's name; in lower case, since case means nothing. With <paramref name="root"/> also the bare <c>/private</c> and <c>/shared</c>, whose children are meant.</summary>
    public static string Parse(ref ImapReader args, bool root)
    {
        ReadOnlySpan<byte> bytes = args.AString();
        if (args.Failed) return "";
        if (!IsName(bytes))
        {
            args.Fail("a metadata entry");
            return "";
        }

        string name = Encoding.ASCII.GetString(bytes).ToLowerInvariant();
        bool known = name.StartsWith("/private/", StringComparison.Ordinal) || name.StartsWith("/shared/", StringComparison.Ordinal) || root && name is "/private" or "/shared";
        if (!known) args.Fail("an entry below /private or /shared");
        return name;
    }

    /// <summary>Reads entries: in parentheses, or one behind the other.</summary>
    public static List<string> ParseList(ref ImapReader args, bool root)
    {
        List<string> entries = [];
        bool list = args.TryTake((byte)'(');
        do
        {
            string entry = Parse(ref args, root);
            if (!entries.Contains(entry)) entries.Add(entry);
        }
        while (args.TrySpace());
        if (list) args.Take((byte)')');
        return entries;
    }

    /// <summary>The script for events in a mailbox (RFC 6785 section 2.3.1).</summary>
    public const string EventScript = "/shared/imapsieve/script";

    /// <summary>The user whose private entry it is; empty for shared ones.</summary>
    public static string UserOf(ImapSession session, string entry) =>
        entry.StartsWith("/private/", StringComparison.Ordinal) ? MailboxAcl.IdentifierOf(session.Account!.Address) : "";

    /// <summary>Whether a user may read and set annotations of a mailbox (RFC 5464 section 3.3).</summary>
    public static bool IsOpenTo(MailboxInfo mailbox)
    {
        const MailboxRights Any = MailboxRights.Read | MailboxRights.KeepSeen | MailboxRights.Write | MailboxRights.Insert | MailboxRights.Post;
        return mailbox.Rights.HasFlag(MailboxRights.Lookup) && (mailbox.Rights & Any) != 0;
    }

    /// <summary>All that this user sees of a mailbox, or of the server when it is null, in order of name.</summary>
    public static async ValueTask<SortedDictionary<string, ReadOnlyMemory<byte>>> VisibleAsync(ImapSession session, MailboxInfo? mailbox, CancellationToken cancel)
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> visible = new(StringComparer.Ordinal);
        foreach (Annotation annotation in await session.Store.AnnotationsAsync(mailbox?.Id, cancel))
            if (annotation.Value is { } value && annotation.User == UserOf(session, annotation.Entry)) visible[annotation.Entry] = value;
        if (mailbox is not null && mailbox.Use != Core.SpecialUse.None) visible[SpecialUse] = Encoding.ASCII.GetBytes(SpecialUses.Name(mailbox.Use));
        if (mailbox is not null) return visible;
        if (session.Options.MetadataAdmin is { } admin) visible[Admin] = Encoding.UTF8.GetBytes(admin);
        if (session.Options.MetadataComment is { } comment) visible[Comment] = Encoding.UTF8.GetBytes(comment);
        if (session.Options.EventScript is { } script) visible[EventScript] = Encoding.UTF8.GetBytes(script);
        return visible;
    }

    /// <summary>Writes one METADATA response with values; a null value is NIL.</summary>
    public static void Write(ImapSession session, string mailbox, IReadOnlyList<(string Entry, ReadOnlyMemory<byte>? Value)> entries)
    {
        ImapOutput output = session.Out;
        output.Begin("METADATA "u8);
        output.Mailbox(mailbox);
        output.Raw(" ("u8);
        for (int i = 0; i < entries.Count; i++)
        {
            if (i > 0) output.Raw(" "u8);
            WriteName(output, entries[i].Entry);
            output.Raw(" "u8);
            if (entries[i].Value is not { } value) output.Raw("NIL"u8);
            else if (value.Span.Contains((byte)0)) WriteBinary(output, value.Span);
            else output.String(value.Span);
        }

        output.Raw(")"u8);
        output.End();
    }

    /// <summary>An entry's name as an astring.</summary>
    public static void WriteName(ImapOutput output, string entry)
    {
        if (!entry.AsSpan().ContainsAny(Quoted)) output.Raw(entry);
        else output.String(entry);
    }

    private static void WriteBinary(ImapOutput output, ReadOnlySpan<byte> value)
    {
        output.Raw("~"u8);
        output.Literal(value.Length);
        output.Raw(value);
    }

    private static bool IsName(ReadOnlySpan<byte> name)
    {
        if (name.Length is < 2 or > MaxLength || name[0] != '/' || name[^1] == '/' || name.IndexOf("//"u8) >= 0) return false;
        foreach (byte b in name)
            if (b is < 32 or >= 127 or (byte)'*' or (byte)'%') return false;
        return true;
    }
}
