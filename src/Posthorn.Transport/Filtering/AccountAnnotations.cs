using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Transport.Filtering;

/// <summary>The annotations that scripts ask for (RFC 5490), as IMAP has them (RFC 5464): those of a mailbox, and those of the server with what the administrator says there.</summary>
internal static class AccountAnnotations
{
    /// <summary>The entry that names the script for IMAP events (RFC 6785 section 2.3.1).</summary>
    public const string EventScript = "/shared/imapsieve/script";

    private const string SpecialUse = "/private/specialuse";

    /// <summary>A value as its owner sees it; null when there is none, or no such mailbox.</summary>
    public static async ValueTask<string?> FindAsync(IMailStore store, MailboxName? mailbox, string entry, SieveOptions options, CancellationToken cancel)
    {
        if (mailbox is not { } name) return options.ServerAnnotations.GetValueOrDefault(entry) ?? await FindAsync(store, (MailboxId?)null, entry, cancel);
        if (await store.FindAsync(name, cancel) is not { Id: { } id } box) return null;
        if (entry == SpecialUse) return box.Use == Core.SpecialUse.None ? null : "\\" + box.Use;
        return await FindAsync(store, id, entry, cancel);
    }

    public static async ValueTask<string?> FindAsync(IMailStore store, MailboxId? mailbox, string entry, CancellationToken cancel)
    {
        string user = entry.StartsWith("/private/", StringComparison.Ordinal) ? MailboxAcl.IdentifierOf(store.Account.Address) : "";
        foreach (Annotation annotation in await store.AnnotationsAsync(mailbox, cancel))
            if (annotation.Entry == entry && annotation.User == user && annotation.Value is { } value) return SieveText.FromUtf8(value.Span);
        return null;
    }
}
