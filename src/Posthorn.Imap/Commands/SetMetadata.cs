using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>SETMETADATA: sets annotations and removes those that become NIL, all or none (RFC 5464 section 4.3).</summary>
/// <remarks><c>setmetadata = "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"</c></remarks>
internal sealed record SetMetadata(MailboxName? Mailbox, IReadOnlyList<(string Entry, byte[]? Value)> Entries) : IImapCommand<SetMetadata>
{
    public static SetMetadata Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName? mailbox = GetMetadata.MailboxOrServer(ref args);
        args.Space();
        List<(string, byte[]?)> entries = [];
        args.Take((byte)'(');
        do
        {
            string entry = MetadataEntry.Parse(ref args, root: false);
            args.Space();
            byte[]? value = args.NString(out ReadOnlySpan<byte> bytes) ? bytes.ToArray() : null;
            if (value?.Length > args.Dialect.Limits.MaxAnnotation) args.Refuse(TooLong(args.Dialect.Limits));
            entries.Add((entry, value));
        }
        while (args.TrySpace());
        args.Take((byte)')');
        args.End();
        return new(mailbox, entries);
    }

    /// <summary>The refusal of a value that is too long (RFC 5464 section 4.3).</summary>
    public static Completion TooLong(ImapOptions limits) => Completion.No($"METADATA MAXSIZE {limits.MaxAnnotation}", "The value is too long");

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        MailboxInfo? info = Mailbox is { } name ? await session.Store.FindAsync(name, cancel) : null;
        if (Mailbox is not null && info is null) return Completion.From(new(RefusalKind.NoSuchMailbox, "No such mailbox"));
        if (info is not null && !MetadataEntry.IsOpenTo(info)) return Completion.No("NOPERM", "You have not the rights for annotations of this mailbox");
        // The owner's own scripts run by it, with the owner's rights: which one is for who may give rights away.
        if (info is not null && !info.Rights.HasFlag(MailboxRights.Administer) && Entries.Any(each => each.Entry == MetadataEntry.EventScript)) return Completion.No("NOPERM", "Which script runs here is for who administers the mailbox");
        if (Entries.Any(each => each.Entry == MetadataEntry.SpecialUse && info is not null)) return Completion.No("CANNOT", "A mailbox gets its role when it is made");
        if (info is null && Entries.Any(each => each.Entry.StartsWith("/shared/", StringComparison.Ordinal))) return Completion.No("NOPERM", "What the server tells everybody is set by the administrator");
        List<Annotation> changes = [];
        foreach ((string entry, byte[]? value) in Entries)
        {
            changes.RemoveAll(each => each.Entry == entry); // the last word counts
            changes.Add(new(info?.Id, MetadataEntry.UserOf(session, entry), entry, value is null ? (ReadOnlyMemory<byte>?)null : value));
        }

        Result<ModSeq> done = await session.Store.AnnotateAsync(info?.Id, changes, session.Options.MaxAnnotations, cancel);
        if (!done.IsOk) return done.Refusal.Kind == RefusalKind.Limit ? Completion.No("METADATA TOOMANY", done.Refusal.Text) : Completion.From(done.Refusal);
        session.Metadata?.Own(info?.Id, done.Value);
        session.Notifications?.OwnMetadata(info?.Id, done.Value);
        return Completion.Ok("Metadata set");
    }
}
