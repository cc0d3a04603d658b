using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Store.Catalogue;

namespace Posthorn.Store.Engine;

/// <summary>What an account still has to do in the background: names that must follow, a second home that is old, removals that are remembered too long.</summary>
/// <remarks>Part of <see cref="Account"/>. <see cref="Tidy"/> runs under its catalogue lock; the rest may be called from anywhere.</remarks>
internal sealed class AccountUpkeep(Account account, AccountCatalogue catalogue, int tombstones, ILogger log)
{
    private volatile bool _namesDirty;
    private volatile bool _homeStale = true;
    private volatile bool _notesStale;
    private long _lastChange;

    internal void NamesAreDirty() => _namesDirty = true;

    internal void HomeIsStale() => _homeStale = true;

    /// <summary>The catalogue has something that the second home does not.</summary>
    internal void Changed(long now, bool notes)
    {
        _homeStale = true;
        if (notes) _notesStale = true;
        Volatile.Write(ref _lastChange, now);
    }

    internal bool IsNeeded(long now, TimeSpan idle) => _namesDirty || account.Delayed.FolderCount > 0 || _homeStale && IsIdle(now, idle);

    internal bool IsIdle(long now, TimeSpan idle) => now - Volatile.Read(ref _lastChange) > idle.TotalMilliseconds;

    /// <summary>As <see cref="Account.Tidy"/>.</summary>
    internal bool Tidy(AccountTidier tidier, int limit, bool home)
    {
        // No list may be made of what is wrong, and no checkpoint pass it.
        if (catalogue.IsDamaged) throw catalogue.Damage("The catalogue is damaged.");
        foreach (MailboxId mailbox in account.Delayed.TakeFolders())
            if (account.Published(mailbox) is { } box) account.Files.MakeFolder(box.Name, mailbox, box.Validity); // before the files that are to lie in it
        foreach ((string path, string target) in account.Delayed.TakeDiscards()) tidier.Discard(path, target);
        if (_namesDirty)
        {
            // Stays so when it fails: no checkpoint may pass a file that is not written.
            if (!tidier.FollowNames(catalogue, limit)) return false;
            _namesDirty = false;
        }

        // Nor may it pass one that is still in sight: without its record it would be taken for somebody's delivery.
        if (account.Delayed.DiscardCount is > 0 and int left) throw new IOException($"{left} files of messages that were expunged could not be taken out of sight.");
        if (account.Delayed.FolderCount is > 0 and int missing) throw new IOException($"{missing} folders could not be made.");
        if (!home || !_homeStale) return true;
        _homeStale = false;
        try
        {
            WriteHome(tidier);
        }
        catch
        {
            _homeStale = true;
            throw;
        }

        return true;
    }

    private void WriteHome(AccountTidier tidier)
    {
        IReadOnlyList<Box> boxes = account.Mailboxes.All();
        foreach (Box box in boxes)
            if (box.Tombstones > tombstones) Forget(box);
        tidier.WriteHome(catalogue, boxes, [.. account.Mailboxes.Subscriptions().Order(StringComparer.Ordinal)]);
        if (_notesStale) NotesKeeper.Export(catalogue, account.Tree.Volume, account.Who, log);
        _notesStale = false;
    }

    // Who has not been here since is told of all numbers that are not there, as after a rebuild.
    private void Forget(Box box)
    {
        catalogue.Begin();
        try
        {
            (int gone, ModSeq upTo) = catalogue.Tombstones.Prune(box.Id, tombstones / 2);
            ModSeq floor = upTo > box.Floor ? upTo : box.Floor;
            catalogue.PutMailbox(box.ToRow() with { Floor = floor, Tombstones = box.Tombstones - gone });
            catalogue.Commit();
            lock (account.Gate) (box.Floor, box.Tombstones) = (floor, box.Tombstones - gone);
        }
        catch
        {
            catalogue.Rollback();
            throw;
        }
    }
}
