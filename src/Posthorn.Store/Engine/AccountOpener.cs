using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;
using Posthorn.Store.Dovecot;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>Opens accounts: the right tree, the catalogue in its newest version, the numbers above all that was ever told.</summary>
internal sealed class AccountOpener(MaildirStoreOptions options, IVolume volume, ShareIndex shares, TimeProvider time, ILogger log)
{
    /// <summary>The distance that MODSEQ leaps when changes may have been lost: more than any client can have seen.</summary>
    internal const long Leap = 1L << 32;

    internal const string Marker = "id";

    // Beside the marker: whose the tree is.
    private const string Owner = "owner";

    // Beside the marker for as long as another server's tree is taken in: should that be broken off, it is another server's still.
    private const string Adopting = "adopting";

    private readonly Lazy<RunMarker> _run = new(() =>
    {
        RunMarker run = new(options.AccountsDirectory, options.BootId);
        run.Begin();
        return run;
    });

    /// <summary>The run ends in order.</summary>
    internal void End()
    {
        if (_run.IsValueCreated) _run.Value.End();
    }

    /// <summary>The newest word on an account.</summary>
    internal MailAccount Newest(MailAccount who) => options.Accounts?.Invoke(who.Address) is { } now && now.Equals(who) ? now : who;

    /// <summary>The mail is whole where it lies.</summary>
    internal static void NoteRoot(Account account) => account.Read(catalogue =>
    {
        catalogue.SetMeta(MetaKey.Root, 0, account.Tree.Root);
        return true;
    });

    /// <summary>Opens an account.</summary>
    /// <param name="who">Whose.</param>
    /// <param name="repair">Whether its catalogue is known to be damaged.</param>
    /// <param name="remade">Whether the catalogue was made anew: in the middle of a run, what the journal has of the account must be applied to it.</param>
    internal Result<Account> Open(MailAccount who, bool repair, out bool remade)
    {
        remade = repair;
        FilesBehind behind = new(volume, options.FilesBehind);
        MaildirTree tree = new(behind, who.MailRoot.TrimEnd('/'), new(options.Separator));
        string directory = DirectoryOf(options, who.Address);
        string path = directory + "/catalogue.db";
        AccountCatalogue? catalogue = null;
        if (who.TreeOf is { } other) return Wrong(who, null, $"it is that of {other} too; give each account a tree of its own, or make one an alias of the other");
        try
        {
            new ForeignLayout(tree, who, log).TakeIn();
            bool known = File.Exists(path);
            string mark = Database.DamageMark(path);
            if (known && (repair || File.Exists(mark) || (catalogue = Sound(path)) is null))
            {
                if (!tree.Exists($"{tree.OwnPath}/{Marker}")) return Wrong(who, catalogue, "the marker is missing; is the volume mounted? The catalogue is damaged, and is made anew when the mail is there");
                SetAside(path, "damaged", time.GetUtcNow());
                File.Delete(mark);
                known = false;
            }

            string adopting = $"{tree.OwnPath}/{Adopting}";
            bool ours = tree.Exists($"{tree.OwnPath}/{Marker}") && !tree.Exists(adopting);
            remade |= !known && ours; // what the journal has of it was applied to the catalogue that is lost now
            if (!known && ours && OtherOwner(tree, who) is { } first) return Wrong(who, catalogue, $"it is that of {first}, by another path; give each account a tree of its own, or make one an alias of the other");
            bool rebuild = !known && tree.Exists(tree.Root) && AccountRebuilder.HasMail(tree);
            if (!known) MakeNew(tree, directory, adopts: rebuild && !ours);
            Dictionary<string, string> orphans = [];
            HashSet<MailboxId> unlisted = [], incomplete = [];
            string? marker = tree.ReadText($"{tree.OwnPath}/{Marker}")?.Trim();
            string last = catalogue?.Meta(MetaKey.Root).Text ?? "";
            bool moved = last.Length > 0 && last != tree.Root;
            if (marker is null) return Wrong(who, catalogue, moved ? $"the marker is missing; the mail was in {last}, move it here" : "the marker is missing; is the volume mounted?");
            if (!known || !tree.Exists($"{tree.OwnPath}/{Owner}")) tree.Replace($"{tree.OwnPath}/{Owner}", $"{who.Address}\n", sync: true);
            catalogue ??= new(path);
            string id = catalogue.Meta(MetaKey.Id).Text;
            if (id.Length > 0 && id != marker) return Wrong(who, catalogue, "its marker is another catalogue's");
            // Whose end was in order has written all that there was to write: what differs is another server's doing.
            bool inOrder = known && catalogue.Meta(MetaKey.OpenBoot).Text.Length == 0 && catalogue.Meta(MetaKey.Losses).Number >= _run.Value.Losses;
            if (!known) catalogue.SetMeta(MetaKey.Losses, _run.Value.Losses, ""); // what was lost before was not of this account, or the numbers leap for it already
            if (rebuild || known && id.Length == 0 && AccountRebuilder.HasMail(tree))
            {
                if (ours) log.Rebuilding(who.Address, path);
                AccountRebuilder rebuilder = new(catalogue, tree, options, time, log, who.Address);
                rebuilder.Run(ours ? LeapAbove(0, tree) : 0, marker, ours);
                (orphans, unlisted, incomplete) = (rebuilder.Orphans, rebuilder.Unlisted, [.. rebuilder.Incomplete()]);
            }
            else if (id.Length == 0) catalogue.SetMeta(MetaKey.Id, 0, marker);
            if (tree.Exists(adopting))
            {
                catalogue.Fold(); // what was taken in is durable
                tree.Volume.Unlink(adopting);
            }

            bool lost = NoteOpening(catalogue, tree, moved);
            if (moved) log.Moved(who.Address, tree.Root, last);
            NotesKeeper.Import(catalogue, volume, who, options.FilterNotes, time.GetUtcNow().ToUnixTimeMilliseconds(), log);
            Account account = new(who, tree, catalogue, options, time, log) { Orphans = orphans, EndedInOrder = inOrder && !moved, HasMoved = moved, Words = new(directory + "/words.db", who.Address, time, log), Shares = shares, Behind = behind, Device = volume.TryStat(tree.Root, out VolumeStat stat) ? stat.Device : 0 };
            account.NoteShares();
            account.CountKept();
            account.LookAt(unlisted);
            foreach (MailboxId mailbox in incomplete) account.Delayed.MakeLater(mailbox); // when what is replayed has brought back what it can
            if (lost) account.LookForLeftOvers();
            return account;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            catalogue?.Dispose();
            log.OpenFailed(problem, who.Address);
            return new Refusal(RefusalKind.Unavailable, "The mail cannot be opened now");
        }
        catch
        {
            catalogue?.Dispose();
            throw;
        }
    }

    /// <summary>What a new account gets, as one record.</summary>
    internal List<Change> FirstMailboxes(Account account)
    {
        List<Change> changes = [new Change.Create(options.Ids.Mailbox(), MailboxName.Inbox, SpecialUse.None, account.NextValidity()), new Change.Subscribe(MailboxName.Inbox, true)];
        if (account.PendingCount > 0) return changes; // an old account that lost its INBOX, not a new one
        foreach ((string text, SpecialUse use) in options.SpecialMailboxes)
        {
            if (!MailboxName.TryCreate(text, options.Separator, out MailboxName name)) continue;
            changes.Add(new Change.Create(options.Ids.Mailbox(), name, use, account.NextValidity()));
            changes.Add(new Change.Subscribe(name, true));
        }

        return changes;
    }

    private Result<Account> Wrong(MailAccount who, AccountCatalogue? catalogue, string reason)
    {
        catalogue?.Dispose();
        log.WrongTree(who.Address, who.MailRoot, reason);
        return new Refusal(RefusalKind.Unavailable, "The mail is not available now");
    }

    private static AccountCatalogue? Sound(string path)
    {
        AccountCatalogue? catalogue = null;
        try
        {
            catalogue = new(path);
            catalogue.Look();
            return catalogue;
        }
        catch (CatalogueException problem) when (problem.IsDamage || !problem.IsPassing && problem.Code != 0)
        {
            catalogue?.Dispose();
            return null;
        }
    }

    /// <summary>Keeps a catalogue for whoever wants to look at it, in nobody's way. False when there is none.</summary>
    internal static bool SetAside(string path, string why, DateTimeOffset now)
    {
        if (!File.Exists(path)) return false;
        string stamp = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        File.Move(path, $"{path}.{why}-{stamp}", overwrite: true);
        foreach (string suffix in (ReadOnlySpan<string>)["-wal", "-shm"])
            if (File.Exists(path + suffix)) File.Move(path + suffix, $"{path}.{why}-{stamp}{suffix}", overwrite: true);
        return true;
    }

    // The account that has the tree already: its marker would fit the catalogue that is about to be made for this one. An account that was called otherwise before has no place any more.
    private EmailAddress? OtherOwner(MaildirTree tree, MailAccount who)
    {
        if (!EmailAddress.TryParse(tree.ReadText($"{tree.OwnPath}/{Owner}")?.Trim() ?? "", out EmailAddress owner) || owner == who.Address) return null;
        bool isThere = options.Accounts?.Invoke(owner) is { TreeOf: null } other && other.Address == owner && volume.TryStat(other.MailRoot, out VolumeStat theirs)
            && volume.TryStat(tree.Root, out VolumeStat ours) && (theirs.Device, theirs.Inode) == (ours.Device, ours.Inode);
        return isThere ? owner : null;
    }

    private void MakeNew(MaildirTree tree, string directory, bool adopts)
    {
        tree.MakeRoot();
        if (adopts)
        {
            tree.Replace($"{tree.OwnPath}/{Adopting}", "", sync: true);
            tree.Volume.SyncDirectory(tree.OwnPath); // before the marker
        }

        string marker = $"{tree.OwnPath}/{Marker}";
        if (!tree.Exists(marker))
        {
            tree.Replace(marker, options.Ids.Text() + "\n", sync: true);
            tree.Volume.SyncDirectory(tree.OwnPath);
        }

        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    // After an end without a farewell in another boot of the machine, unsynced changes may be gone that clients have seen. True then.
    private bool NoteOpening(AccountCatalogue catalogue, MaildirTree tree, bool moved)
    {
        string boot = catalogue.Meta(MetaKey.OpenBoot).Text;
        bool lost = boot.Length > 0 && boot != options.BootId || catalogue.Meta(MetaKey.Losses).Number < _run.Value.Losses;
        catalogue.Begin();
        if (lost)
        {
            long modSeq = LeapAbove(catalogue.Meta(MetaKey.ModSeq).Number, tree);
            catalogue.SetMeta(MetaKey.ModSeq, modSeq, "");
            foreach (MailboxRow row in catalogue.Mailboxes()) catalogue.PutMailbox(row with { Highest = new(modSeq), Floor = new(modSeq) });
        }

        // Content numbers may mean something else now than the word index thinks.
        if (boot.Length > 0 || catalogue.Meta(MetaKey.Generation).Text.Length == 0) catalogue.SetMeta(MetaKey.Generation, 0, options.Ids.Text());
        catalogue.SetMeta(MetaKey.OpenBoot, 0, options.BootId);
        catalogue.SetMeta(MetaKey.Losses, _run.Value.Losses, "");
        if (!moved) catalogue.SetMeta(MetaKey.Root, 0, tree.Root);
        catalogue.Commit();
        return lost;
    }

    // In the second home before it is used: the catalogue's own note of it may be lost like the rest, and then the next leap must go further.
    private long LeapAbove(long modSeq, MaildirTree tree)
    {
        string path = $"{tree.OwnPath}/{AccountFile.FileName}";
        AccountFile file = (tree.ReadText(path) is { } text ? AccountFile.Parse(text, options.Separator) : null) ?? new(0, 0, []);
        modSeq = Math.Max(modSeq, file.ModSeq) + Leap;
        tree.Replace(path, (file with { ModSeq = modSeq }).Format(), sync: true);
        tree.Volume.SyncDirectory(tree.OwnPath);
        return modSeq;
    }

    /// <summary>Where an account's catalogue lies.</summary>
    internal static string DirectoryOf(MaildirStoreOptions options, EmailAddress address) =>
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
