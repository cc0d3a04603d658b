using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Testing.Stores;

/// <summary>What is kept about one message beside its row.</summary>
internal sealed record MemoryEntry(MemoryMessage Message, DateTimeOffset Saved, ThreadId Thread);

/// <summary>One mailbox. Its owner's lock guards it; <see cref="Version"/> may be read by anybody.</summary>
internal sealed class MemoryBox(MailboxId id, MailboxName name, SpecialUse use, UidValidity validity)
{
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile MailboxVersion _version =
        MailboxVersion.Load([], validity, new Uid(1), new ModSeq(1), KeywordSet.Empty);

    internal MailboxId Id { get; } = id;
    internal MailboxName Name { get; set; } = name;
    internal SpecialUse Use { get; } = use;
    internal MailboxAcl Acl { get; set; } = MailboxAcl.Empty;
    internal bool Exists { get; private set; } = true;
    internal MailboxVersion Version => _version;
    internal Dictionary<Uid, MemoryEntry> Entries { get; } = [];
    internal List<(Uid Uid, ModSeq ModSeq)> Tombstones { get; } = [];
    internal Uid FirstUnclaimed { get; set; } = new(1);
    internal Uid FirstUntold { get; set; } = new(1);
    internal int Readers { get; set; }
    internal int Writers { get; set; }

    internal void Publish(MailboxVersion version)
    {
        _version = version;
        // Somebody who has it open for writing is told of new messages at once, and so has the claim on them.
        if (Writers > 0) FirstUnclaimed = version.UidNext;
        Wake();
    }

    internal void Remove()
    {
        Exists = false;
        Wake();
    }

    internal Task ChangeFrom(MailboxVersion seen)
    {
        Task changed = _changed.Task;
        return !ReferenceEquals(_version, seen) || !Exists ? Task.CompletedTask : changed;
    }

    private void Wake()
    {
        TaskCompletionSource changed = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
