using System.Globalization;
using Posthorn.Core;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>After a failed sync: writes a record's messages into new files. The system holds the pages of the old ones for clean, whether they reached the disk or not, and no later sync would write them again.</summary>
/// <remarks>Runs under the account's catalogue lock.</remarks>
internal sealed class FileRewriter(Account account, AccountCatalogue catalogue, MaildirTree tree)
{
    /// <exception cref="IOException">A file cannot be written; the old one is as it was.</exception>
    internal void Rewrite(Operation operation)
    {
        foreach (Change change in operation.Changes)
            if (change is Change.Store store && catalogue.Contents.OfRecord(operation.Lsn.Value, store.Index) is { } content) Rewrite(operation, store, content);
    }

    private void Rewrite(Operation operation, Change.Store store, long content)
    {
        string fresh = string.Create(CultureInfo.InvariantCulture, $"{tree.OwnPath}/fresh-{operation.Lsn.Value:x}-{store.Index:x}");
        bool written = false;
        foreach ((long mailbox, Uid uid) in catalogue.Contents.CopiesOf(content))
        {
            if (account.PublishedById(mailbox) is not { } box || !catalogue.TryGetFile(mailbox, uid, out FileRow file) || file.DiskName.Length == 0) continue;
            if (account.Files.Locate(box.Name, file) is not { } path || !catalogue.TryGetMessage(mailbox, uid, out StoredRow row)) continue;
            if (!written)
            {
                using MessageBytes bytes = new(account.ContentOf(operation), store);
                written = account.Files.TryWrite(fresh, bytes, row.Row.InternalDate, DateTimeOffset.MinValue);
                if (!written) throw new IOException($"{account.Who.Address}: a message cannot be written into a new file.");
            }

            // The copies share the new file as they shared the old one.
            string link = fresh + ".link";
            if (tree.Exists(link)) tree.Volume.Unlink(link);
            account.Files.LinkOrCopy(fresh, link);
            tree.Volume.Rename(link, path);
        }

        if (written) tree.Volume.Unlink(fresh);
    }
}
