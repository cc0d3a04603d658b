using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>What a disk refused to do to files and the background tries again: messages to write from their records, files to take out of sight, and folders to make.</summary>
/// <remarks>Locking: a lock of its own, which is the last of all.</remarks>
internal sealed class DelayedFiles(Account account)
{
    private readonly Lock _gate = new();
    private readonly List<(string Path, string Target)> _discards = [];
    private readonly Dictionary<(long Record, int Part), Change.Store> _unwritten = [];
    private readonly HashSet<MailboxId> _folders = [];

    /// <summary>Remembers how to write a file that the disk refused.</summary>
    internal void WriteLater(Lsn record, Change.Store store)
    {
        lock (_gate) _unwritten[(record.Value, store.Index)] = store with { Prefix = store.Prefix.ToArray(), Facts = null };
    }

    /// <summary>Writes a file that waits for it from its record in the journal; null when none waits, false when the disk refuses it still.</summary>
    internal bool? TryRewrite(ContentRow content, string path, DateTimeOffset modified)
    {
        if (Find(content) is not { } store || account.Journal?.OpenContent(new(content.Record)) is not { } opened) return null;
        using MessageBytes bytes = new(opened, store);
        bool written = account.Files.TryWrite(path, bytes, modified, DateTimeOffset.MinValue);
        _ = opened.DisposeAsync().AsTask(); // completes at once
        if (written) lock (_gate) _unwritten.Remove((content.Record, content.Part));
        return written;
    }

    /// <summary>A message whose file could not be written yet, from its record; null when it is not among those.</summary>
    internal Result<IMessageContent>? Open(ContentRow content, long wire)
    {
        if (Find(content) is not { } store || account.Journal?.OpenContent(new(content.Record)) is not { } opened) return null;
        RecordContent received = new(opened, store);
        if (received.Length == wire) return received;
        return new CrlfContent(received, wire);
    }

    /// <summary>Whether a message's file is still to be written from its record, so that it needs nobody else's.</summary>
    internal bool IsWaiting(ContentRow content) => Find(content) is not null;

    internal void DiscardLater(string path, string target)
    {
        lock (_gate) _discards.Add((path, target));
    }

    /// <summary>How many files wait to be taken out of sight.</summary>
    internal int DiscardCount
    {
        get
        {
            lock (_gate) return _discards.Count;
        }
    }

    /// <summary>Whether a file waits to be taken out of sight: its message is gone.</summary>
    internal bool IsDiscarded(string path)
    {
        lock (_gate) return _discards.Exists(discard => discard.Path == path);
    }

    /// <summary>Where a file that is to be taken out of sight still lies.</summary>
    internal string? PathBefore(string target)
    {
        lock (_gate) return _discards.Find(discard => discard.Target == target).Path;
    }

    /// <summary>A mailbox's folder could not be made.</summary>
    internal void MakeLater(MailboxId mailbox)
    {
        lock (_gate) _folders.Add(mailbox);
    }

    /// <summary>Whether a mailbox has no folder yet, or one whose name a crash may take back with all that lies in it.</summary>
    internal bool LacksFolder(MailboxId mailbox)
    {
        lock (_gate) return _folders.Contains(mailbox);
    }

    /// <summary>How many mailboxes have no folder yet.</summary>
    internal int FolderCount
    {
        get
        {
            lock (_gate) return _folders.Count;
        }
    }

    /// <summary>The mailboxes that have no folder yet; what fails again is added again.</summary>
    internal MailboxId[] TakeFolders()
    {
        lock (_gate)
        {
            MailboxId[] all = [.. _folders];
            _folders.Clear();
            return all;
        }
    }

    /// <summary>Under this name there is a message now.</summary>
    internal void Keep(string path)
    {
        lock (_gate)
            if (_discards.Count > 0) _discards.RemoveAll(discard => discard.Path == path);
    }

    /// <summary>A folder has another name now, and with it what lies in it.</summary>
    internal void Follow(string folder, string target)
    {
        lock (_gate)
        {
            for (int i = 0; i < _discards.Count; i++)
                if (_discards[i].Path == folder || _discards[i].Path.StartsWith(folder + "/", StringComparison.Ordinal)) _discards[i] = _discards[i] with { Path = target + _discards[i].Path[folder.Length..] };
        }
    }

    /// <summary>All that waits to be discarded; what fails again is added again.</summary>
    internal (string Path, string Target)[] TakeDiscards()
    {
        lock (_gate)
        {
            (string, string)[] all = [.. _discards];
            _discards.Clear();
            return all;
        }
    }

    private Change.Store? Find(ContentRow content)
    {
        lock (_gate) return _unwritten.GetValueOrDefault((content.Record, content.Part));
    }
}
