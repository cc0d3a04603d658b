using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Opens accounts: the right tree, the catalogue in its newest version, the numbers above all that was ever told.</summary>
internal sealed class AccountOpener(MaildirStoreOptions options, IVolume volume, TimeProvider time, ILogger log)
{
    /// <summary>The distance that MODSEQ leaps when changes may have been lost: more than any client can have seen.</summary>
    private const long Leap = 1L << 32;

    private const string Marker = "id";

    internal Result<Account> Open(MailAccount who)
    {
        MaildirTree tree = new(volume, who.MailRoot.TrimEnd('/'), new(options.Separator));
        string directory = DirectoryOf(who.Address);
        string path = directory + "/catalogue.db";
        AccountCatalogue? catalogue = null;
        try
        {
            bool known = File.Exists(path);
            if (!known) MakeNew(tree, directory);
            string? marker = tree.ReadText($"{tree.OwnPath}/{Marker}")?.Trim();
            catalogue = new(path);
            string id = catalogue.Meta(MetaKey.Id).Text;
            if (marker is null) return Wrong(who, catalogue, "the marker is missing; is the volume mounted?");
            if (id.Length == 0) catalogue.SetMeta(MetaKey.Id, 0, marker);
            else if (id != marker) return Wrong(who, catalogue, "its marker is another catalogue's");
            NoteOpening(catalogue);
            return new Account(who, tree, catalogue, options, time, log);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            catalogue?.Dispose();
            log.OpenFailed(problem, who.Address);
            return new Refusal(RefusalKind.Unavailable, "The mail cannot be opened now");
        }
    }

    /// <summary>What a new account gets, as one record.</summary>
    internal List<Change> FirstMailboxes(Account account)
    {
        List<Change> changes = [new Change.Create(NewIds.Mailbox(), MailboxName.Inbox, SpecialUse.None, account.NextValidity()), new Change.Subscribe(MailboxName.Inbox, true)];
        if (account.PendingCount > 0) return changes; // an old account that lost its INBOX, not a new one
        foreach ((string text, SpecialUse use) in options.SpecialMailboxes)
        {
            if (!MailboxName.TryCreate(text, options.Separator, out MailboxName name)) continue;
            changes.Add(new Change.Create(NewIds.Mailbox(), name, use, account.NextValidity()));
            changes.Add(new Change.Subscribe(name, true));
        }

        return changes;
    }

    private Result<Account> Wrong(MailAccount who, AccountCatalogue catalogue, string reason)
    {
        catalogue.Dispose();
        log.WrongTree(who.Address, who.MailRoot, reason);
        return new Refusal(RefusalKind.Unavailable, "The mail is not available now");
    }

    private static void MakeNew(MaildirTree tree, string directory)
    {
        tree.MakeRoot();
        string marker = $"{tree.OwnPath}/{Marker}";
        if (!tree.Exists(marker))
        {
            tree.Replace(marker, NewIds.Text() + "\n", sync: true);
            tree.Volume.SyncDirectory(tree.OwnPath);
        }

        Directory.CreateDirectory(directory);
    }

    // After an end without a farewell in another boot of the machine, unsynced changes may be gone that clients have seen.
    private void NoteOpening(AccountCatalogue catalogue)
    {
        string boot = catalogue.Meta(MetaKey.OpenBoot).Text;
        catalogue.Begin();
        if (boot.Length > 0 && boot != options.BootId)
        {
            long modSeq = catalogue.Meta(MetaKey.ModSeq).Number + Leap;
            catalogue.SetMeta(MetaKey.ModSeq, modSeq, "");
            foreach (MailboxRow row in catalogue.Mailboxes()) catalogue.PutMailbox(row with { Highest = new(modSeq), Floor = new(modSeq) });
        }

        catalogue.SetMeta(MetaKey.OpenBoot, 0, options.BootId);
        catalogue.Commit();
    }

    private string DirectoryOf(EmailAddress address) =>
        $"{options.AccountsDirectory}/{Escape(address.Domain.Ascii)}/{Escape(address.LocalPart.ToLowerInvariant())}";

    // Letters, digits and what is harmless stand as they are; a leading dot does not.
    private static string Escape(string text)
    {
        StringBuilder result = new(text.Length);
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '+' or '=' || c == '.' && result.Length > 0) result.Append(c);
            else result.Append(CultureInfo.InvariantCulture, $"%{b:x2}");
        }

        return result.ToString();
    }
}
