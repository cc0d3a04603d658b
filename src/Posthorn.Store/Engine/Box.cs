using Posthorn.Core;
using Posthorn.Store.Catalogue;

namespace Posthorn.Store.Engine;

/// <summary>Where the content of a message that was expunged under somebody's eyes still lies.</summary>
internal readonly record struct GoneMessage(long Content, string Path, long Octets, long Wire);

/// <summary>One mailbox of an open account.</summary>
/// <remarks>Locking: the account's gate guards all but <see cref="Version"/> and <see cref="Exists"/>, which anybody may read; what was published changes under the catalogue lock too.</remarks>
internal sealed class Box(MailboxId mailbox, SpecialUse use, UidValidity validity)
{
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile MailboxVersion? _version;
    private volatile bool _exists;
    private volatile SortKeyCache.Keys? _sortKeys;

    /// <summary>Its number in the catalogue; 0 until it is published.</summary>
    internal long Id { get; set; }

    internal MailboxId Mailbox { get; } = mailbox;
    internal SpecialUse Use { get; } = use;
    internal UidValidity Validity { get; } = validity;

    // What is published.
    internal MailboxName Name { get; set; }
    internal Uid UidNext { get; set; } = new(1);
    internal ModSeq Highest { get; set; }
    internal ModSeq Floor { get; set; }
    internal Uid FirstRecent { get; set; } = new(1);

    /// <summary>From here on no session that may write has been told of a message yet, as long as one has it open.</summary>
    internal Uid FirstUntold { get; set; } = new(1);
    internal Counts Counts { get; set; }
    internal long Tombstones { get; set; }
    internal Sharing.MailboxAcl Acl { get; set; } = Sharing.MailboxAcl.Empty;

    /// <summary>What stands in the folder's file of it; null when that is not known.</summary>
    internal string? AclWritten { get; set; }

    // What records in flight will make of it.
    internal uint NextUid { get; set; } = 1;

    internal int Readers { get; set; }
    internal int Writers { get; set; }

    /// <summary>Messages that were expunged while sessions have it open.</summary>
    internal Dictionary<Uid, GoneMessage> Gone { get; } = [];

    /// <summary>What SORT compares, while it is kept (<see cref="SortKeyCache"/>).</summary>
    internal SortKeyCache.Keys? SortKeys { get => _sortKeys; set => _sortKeys = value; }

    /// <summary>Where the messages lie that somebody reads one after another; the lock of the catalogue guards it.</summary>
    internal ReadAhead ReadAhead { get; } = new();

    /// <summary>What the last look at its folder saw.</summary>
    internal FolderSight Sight { get; } = new();

    /// <summary>Guards <see cref="Watch"/>; taken before the lock of the table of accounts.</summary>
    internal Lock WatchGate { get; } = new();

    /// <summary>Hears of what other programs do in its folder while somebody has it selected.</summary>
    internal FolderWatch.BoxWatch? Watch { get; set; }

    /// <summary>Whether its <c>dovecot-uidlist</c> is older than the catalogue.</summary>
    internal bool ListStale { get; set; } = true;

    internal MailboxVersion? Version => _version;

    internal bool Exists => _exists;

    internal void Load(MailboxVersion version) => _version = version;

    internal void Appear() => _exists = true;

    /// <summary>Whether it is not gone, but known by another object now: a client must select it again.</summary>
    internal bool IsReplaced { get; private set; }

    internal void Replace()
    {
        IsReplaced = true;
        Vanish();
    }

    internal void Vanish()
    {
        _exists = false;
        Wake();
    }

    internal void Publish(MailboxVersion? version)
    {
        _version = version;
        Wake();
    }

    internal Task ChangeFrom(MailboxVersion seen) => !ReferenceEquals(_version, seen) || !_exists ? Task.CompletedTask : _changed.Task;

    internal MailboxRow ToRow() => new(Id, Mailbox, Name.Value, Use, Validity) { UidNext = UidNext, Highest = Highest, Floor = Floor, FirstRecent = FirstRecent, Counts = Counts, Tombstones = Tombstones };

    private void Wake()
    {
        TaskCompletionSource changed = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
