using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>The background's part: file names follow flags, files that could not be written are written, and the second home of the numbers is kept.</summary>
/// <remarks>Runs under the account's catalogue lock.</remarks>
internal sealed class AccountTidier(Account account, MaildirTree tree, ILogger log)
{
    /// <summary>Lets up to <paramref name="limit"/> names follow; false when more are waiting.</summary>
    internal bool FollowNames(AccountCatalogue catalogue, int limit)
    {
        List<(long Mailbox, Uid Uid)> dirty = catalogue.Dirty(limit);
        if (dirty.Count == 0) return true;
        catalogue.Begin();
        try
        {
            int failed = 0;
            foreach ((long mailbox, Uid uid) in dirty)
            {
                if (account.PublishedById(mailbox) is not { } box || !catalogue.TryGetMessage(mailbox, uid, out StoredRow row) || !catalogue.TryGetFile(mailbox, uid, out FileRow file)) continue;
                if (!Follow(catalogue, box, row, file)) failed++;
            }

            catalogue.Commit();
            if (failed > 0) throw new IOException($"{failed} of {dirty.Count} file names could not follow.");
        }
        catch
        {
            catalogue.Rollback();
            account.Files.Forget();
            throw;
        }

        return dirty.Count < limit;
    }

    /// <summary>Removes what was expunged long enough ago.</summary>
    internal void SweepExpunged(DateTimeOffset before)
    {
        try
        {
            tree.SweepExpunged(before);
        }
        catch (VolumeException problem)
        {
            log.TidyFailed(problem, account.Who.Address);
        }
    }

    internal void Discard(string path, string target)
    {
        try
        {
            if (tree.Exists(path)) account.Files.Move(path, target);
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
            account.Delayed.DiscardLater(path, target);
        }
    }

    /// <summary>Writes each folder's <c>dovecot-uidlist</c> that is older than the catalogue, the subscriptions and the account's own numbers. The checkpoint syncs them.</summary>
    internal void WriteHome(AccountCatalogue catalogue, IReadOnlyList<Box> boxes, IReadOnlyList<string> subscriptions)
    {
        Dictionary<long, (string List, string Handed)> marks = catalogue.Lists.Marks();
        foreach (Box box in boxes)
            if (box.ListStale) WriteList(catalogue, box, FolderMark.Parse(marks.GetValueOrDefault(box.Id).List ?? ""));
        AccountFile file = new(account.ModSeq, account.Validity,
            [.. boxes.Select(box => new AccountFileMailbox(box.Mailbox, box.Validity, box.UidNext, box.Use, box.FirstRecent, box.Name))]);
        tree.Replace($"{tree.OwnPath}/{AccountFile.FileName}", file.Format(), sync: true);
        tree.Replace($"{tree.Root}/{SubscriptionFile.FileName}", SubscriptionFile.Format(subscriptions, tree.Names), sync: true);
        WriteAnnotations(catalogue, boxes);
        if (boxes.All(box => AclFile.Format(box.Acl) == box.AclWritten)) return;
        marks = catalogue.Lists.Marks();
        foreach (Box box in boxes) WriteAcl(catalogue, box, FolderMark.Parse(marks.GetValueOrDefault(box.Id).List ?? ""));
    }

    private void WriteAnnotations(AccountCatalogue catalogue, IReadOnlyList<Box> boxes)
    {
        string path = $"{tree.OwnPath}/{AnnotationFile.FileName}";
        string text = AnnotationFile.Format([
            .. catalogue.Annotations.Of(AnnotationTable.Account).Select(row => ("", row.User, row.Entry, row.Value)),
            .. boxes.SelectMany(box => catalogue.Annotations.Of(box.Id).Select(row => (box.Mailbox.Value, row.User, row.Entry, row.Value)))]);
        if (tree.ReadText(path) != text && (text != AnnotationFile.Empty || tree.Exists(path))) tree.Replace(path, text, sync: true);
    }

    private void WriteAcl(AccountCatalogue catalogue, Box box, FolderMark mark)
    {
        string path = $"{tree.FolderPath(box.Name)}/{AclFile.FileName}";
        string text = AclFile.Format(box.Acl);
        if (text == box.AclWritten) return;
        bool exists = tree.Exists(path);
        if (text.Length == 0 && exists) tree.Volume.Unlink(path);
        else if (text.Length > 0 && !(exists && tree.ReadText(path) == text)) tree.Replace(path, text, sync: true);
        string now = tree.MarkOf(path);
        if (now != mark.Acl) catalogue.Lists.PutMark(box.Id, (mark with { Acl = now }).ToString());
        box.AclWritten = text;
    }

    private void WriteList(AccountCatalogue catalogue, Box box, FolderMark mark)
    {
        string path = $"{tree.FolderPath(box.Name)}/{UidList.FileName}";
        bool visited = FolderMark.Of(tree, tree.FolderPath(box.Name)).Log != mark.Log;
        if (tree.MarkOf(path) != mark.List && ListComparison.Of(tree, catalogue, box, visited).IsForeign(box))
        {
            // Another server was here while we were: what it says is taken in before it is written over.
            account.IsTreeKnown = false;
            return;
        }

        List<UidListEntry> entries = [];
        Dictionary<Uid, string> fields = catalogue.Lists.All(box.Id);
        foreach ((Uid uid, string baseName, string email) in catalogue.ListOf(box.Id)) entries.Add(UidListEntry.Of(uid, baseName, new(email), fields.GetValueOrDefault(uid, "")));
        if (entries.Count != box.Counts.Messages) throw catalogue.Damage($"{box.Name} has {entries.Count} messages with files, and {box.Counts.Messages} are counted.");
        tree.Replace(path, new UidList(box.Validity, box.UidNext, box.Mailbox.Value, entries).Format(), sync: true);
        catalogue.Lists.PutMark(box.Id, (mark with { List = tree.MarkOf(path) }).ToString());
        box.ListStale = false; // not before: a list that could not be written is no list
    }

    private bool Follow(AccountCatalogue catalogue, Box box, in StoredRow row, FileRow file)
    {
        bool isNew = row.Row.Flags == SystemFlags.None && row.Row.Keywords.Count == 0 && !file.DiskName.StartsWith("cur/", StringComparison.Ordinal);
        string wanted = MaildirName.Format(file.Base, isNew, row.Row.Flags, account.Files.LettersOf(box.Id, box.Name, row.Row.Keywords), MaildirName.LettersOf(file.DiskName));
        // No room for what the name should say: then the catalogue alone says it.
        if (file.IsInFolder && System.Text.Encoding.UTF8.GetByteCount(wanted) - "new/".Length > FolderNames.MaxLength) wanted = file.DiskName;
        try
        {
            string target = tree.PathOf(box.Name, wanted);
            if (file.DiskName.Length == 0)
            {
                // What stands there may be the beginning of a file that the disk had no room for.
                bool? written = account.Delayed.TryRewrite(catalogue.Contents.Of(row.Content), target, row.Row.InternalDate);
                if (written == false) return false;
                if (written is null && (!tree.Exists(target) || account.Delayed.IsDiscarded(target)))
                {
                    if (account.Files.LocateCopy(row.Content) is not { } copy) return false;
                    account.Files.LinkOrCopy(copy, target);
                }
            }
            else if (file.DiskName != wanted && !tree.Exists(target))
            {
                if (account.Files.Locate(box.Name, file) is { } path) account.Files.Move(path, target);
                else wanted = file.DiskName; // Somebody took it away; the next look at the folder will say so.
            }

            catalogue.PutFile(box.Id, row.Row.Uid, wanted, file.Base, dirty: false);
            return true;
        }
        catch (VolumeException problem)
        {
            log.FileDelayed(problem, account.Who.Address);
            return false;
        }
    }
}
