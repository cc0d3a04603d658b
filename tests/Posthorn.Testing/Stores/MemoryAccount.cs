using System.Globalization;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Testing.Stores;

/// <summary>The mail of one account.</summary>
/// <remarks>Locking: <c>_gate</c> guards everything; each public step takes it once and awaits nothing under it.</remarks>
internal sealed class MemoryAccount
{
    private static readonly Refusal NoMailbox = new(RefusalKind.NoSuchMailbox, "No such mailbox");
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly SortedDictionary<string, MemoryBox> _boxes = new(StringComparer.Ordinal);
    private readonly HashSet<string> _subscriptions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ThreadId> _threads = [];
    private readonly Dictionary<string, DateTimeOffset> _notes = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _modSeq = 1;
    private uint _validity;
    private readonly EmailAddress _owner;
    private readonly string _prefix;
    private int _ids;
    private long? _limitBytes;
    private long? _limitMessages;

    internal MemoryAccount(TimeProvider time, MemoryStoreOptions options, EmailAddress owner, string prefix)
    {
        _owner = owner;
        _prefix = prefix;
        _time = time;
        Separator = options.Separator;
        _validity = (uint)time.GetUtcNow().ToUnixTimeSeconds();
        Make(MailboxName.Inbox, SpecialUse.None);
        _subscriptions.Add(MailboxName.Inbox.Value);
        if (!options.SpecialMailboxes) return;
        foreach (SpecialUse use in (SpecialUse[])[SpecialUse.Drafts, SpecialUse.Sent, SpecialUse.Junk, SpecialUse.Trash, SpecialUse.Archive])
        {
            _ = MailboxName.TryCreate(use.ToString(), Separator, out MailboxName name);
            Make(name, use);
            _subscriptions.Add(name.Value);
        }
    }

    internal char Separator { get; }

    /// <summary>Called when rights change.</summary>
    internal Action? Shared { get; init; }

    internal MemoryAnnotations Notes { get; } = new();

    internal ModSeq HighestModSeq
    {
        get
        {
            lock (_gate) return new(_modSeq);
        }
    }

    internal Result<Done> Share(MailboxId mailbox, string identifier, MailboxRights? rights)
    {
        lock (_gate)
        {
            if (BoxOf(mailbox) is not { } box) return NoMailbox;
            box.Acl = box.Acl.With(identifier, rights);
            _modSeq++;
            Announce();
        }

        Shared?.Invoke();
        return Posthorn.Core.Done.It;
    }

    internal Result<ModSeq> Annotate(MailboxId? mailbox, IReadOnlyList<Annotation> annotations, int most)
    {
        lock (_gate)
        {
            if (mailbox is { } id && BoxOf(id) is null) return NoMailbox;
            HashSet<(string, string)> known = [.. Notes.Of(mailbox).Select(each => (each.User, each.Entry))];
            int before = known.Count;
            foreach (Annotation each in annotations) _ = each.Value is null ? known.Remove((each.User, each.Entry)) : known.Add((each.User, each.Entry));
            if (known.Count > most && known.Count > before) return new Refusal(RefusalKind.Limit, $"A mailbox can have {most} annotations");
            ModSeq modSeq = new(++_modSeq);
            foreach (Annotation each in annotations) Notes.Put(each with { Mailbox = mailbox, Changed = modSeq });
            if (mailbox is { } changed && BoxOf(changed) is { } box) box.Publish(box.Version.With([], [], box.Version.UidNext, modSeq, box.Version.Keywords));
            Announce();
            return modSeq;
        }
    }

    internal long ChangeNumber { get; private set; } = 1;

    internal void SetLimits(long? bytes, long? messages)
    {
        lock (_gate) (_limitBytes, _limitMessages) = (bytes, messages);
    }

    internal void Remember(FilterNote note)
    {
        string id = Convert.ToHexString(note.Id.Span);
        lock (_gate) _notes[id] = _notes.TryGetValue(id, out DateTimeOffset until) && until > note.Until ? until : note.Until;
    }

    internal bool Remembers(ReadOnlyMemory<byte> id)
    {
        lock (_gate) return _notes.TryGetValue(Convert.ToHexString(id.Span), out DateTimeOffset until) && until > _time.GetUtcNow();
    }

    internal Task ChangeAbove(long seen)
    {
        lock (_gate) return ChangeNumber > seen ? Task.CompletedTask : _changed.Task;
    }

    internal Task ChangeOf(MemoryBox box, MailboxVersion seen)
    {
        lock (_gate) return box.ChangeFrom(seen);
    }

    internal MailboxInfo InfoOf(MemoryBox box)
    {
        lock (_gate) return Info(box);
    }

    internal IReadOnlyList<MailboxInfo> List()
    {
        lock (_gate)
        {
            IEnumerable<MailboxInfo> boxes = _boxes.Values.Select(Info);
            IEnumerable<MailboxInfo> missing = _subscriptions.Where(name => !_boxes.ContainsKey(name)).Select(name =>
                MailboxName.TryCreate(name, Separator, out MailboxName missing) ? new MailboxInfo(missing, null, SpecialUse.None, true, default) : throw new InvalidOperationException(name));
            return [.. boxes.Concat(missing).OrderByDescending(info => info.Name.IsInbox).ThenBy(info => info.Name.Value, StringComparer.Ordinal)];
        }
    }

    internal Result<MailboxInfo> Create(MailboxName name, SpecialUse use)
    {
        lock (_gate)
        {
            if (_boxes.ContainsKey(name.Value)) return new Refusal(RefusalKind.AlreadyExists, "The mailbox exists");
            MemoryBox box = Make(name, use);
            for (int at = name.Value.LastIndexOf(Separator); at > 0 && box.Acl.Entries.IsEmpty; at = name.Value.LastIndexOf(Separator, at - 1))
                if (_boxes.TryGetValue(name.Value[..at], out MemoryBox? parent))
                {
                    box.Acl = parent.Acl;
                    break;
                }
            Announce();
            return Info(box);
        }
    }

    internal Result<Done> Delete(MailboxName name)
    {
        lock (_gate)
        {
            if (name.IsInbox) return new Refusal(RefusalKind.BadName, "INBOX cannot be removed");
            if (!_boxes.Remove(name.Value, out MemoryBox? box)) return NoMailbox;
            _modSeq++;
            box.Remove();
            Notes.Remove(box.Id);
            Announce();
            return Posthorn.Core.Done.It;
        }
    }

    internal Result<Done> Rename(MailboxName from, MailboxName target)
    {
        lock (_gate)
        {
            if (_boxes.ContainsKey(target.Value)) return new Refusal(RefusalKind.AlreadyExists, "The mailbox exists");
            if (from.IsInbox) return RenameInbox(target);
            string children = from.Value + Separator;
            if (target.Value.StartsWith(children, StringComparison.Ordinal)) return new Refusal(RefusalKind.BadName, "A mailbox cannot become its own child");
            MemoryBox[] moving = [.. _boxes.Values.Where(box => box.Name.Value == from.Value || box.Name.Value.StartsWith(children, StringComparison.Ordinal))];
            if (moving.Length == 0) return NoMailbox;
            List<MailboxName> names = [];
            foreach (MemoryBox box in moving)
            {
                if (!MailboxName.TryCreate(target.Value + box.Name.Value[from.Value.Length..], Separator, out MailboxName name)) return new Refusal(RefusalKind.BadName, "The name is too long");
                if (_boxes.ContainsKey(name.Value)) return new Refusal(RefusalKind.AlreadyExists, $"{name} exists");
                names.Add(name);
            }

            foreach (MemoryBox box in moving) _boxes.Remove(box.Name.Value);
            for (int i = 0; i < moving.Length; i++)
            {
                moving[i].Name = names[i];
                _boxes.Add(names[i].Value, moving[i]);
            }
            _modSeq++;
            Announce();
            return Posthorn.Core.Done.It;
        }
    }

    internal Result<Done> Subscribe(MailboxName name, bool subscribed)
    {
        lock (_gate)
        {
            if (subscribed ? _subscriptions.Add(name.Value) : _subscriptions.Remove(name.Value)) Announce();
            return Posthorn.Core.Done.It;
        }
    }

    internal Result<MailboxStatus> Status(MailboxName name)
    {
        lock (_gate)
        {
            if (!_boxes.TryGetValue(name.Value, out MemoryBox? box)) return NoMailbox;
            MailboxVersion version = box.Version;
            IEnumerable<MessageRow> rows = version.Chunks.SelectMany(chunk => chunk.ToArray());
            return new MailboxStatus(Info(box), version.Validity, version.UidNext, version.HighestModSeq)
            {
                Messages = version.Count,
                Unseen = rows.Count(row => !row.Flags.HasFlag(SystemFlags.Seen)),
                Deleted = rows.Count(row => row.Flags.HasFlag(SystemFlags.Deleted)),
                Recent = rows.Count(row => row.Uid >= box.FirstUnclaimed),
                Size = rows.Sum(row => row.Size),
                DeletedSize = rows.Where(row => row.Flags.HasFlag(SystemFlags.Deleted)).Sum(row => row.Size),
            };
        }
    }

    internal Result<IMailbox> Open(MailboxName name, bool readOnly)
    {
        lock (_gate)
        {
            if (!_boxes.TryGetValue(name.Value, out MemoryBox? box)) return NoMailbox;
            Uid recent = box.FirstUnclaimed;
            box.Readers++;
            if (!readOnly)
            {
                box.Writers++;
                box.FirstUnclaimed = box.FirstUntold = box.Version.UidNext;
            }
            return new MemoryMailbox(this, box, readOnly, recent, box.Version.UidNext);
        }
    }

    internal Uid ClaimRecent(MemoryBox box, Uid from, Uid next, bool readOnly)
    {
        lock (_gate)
        {
            Uid first = box.FirstUntold > from ? box.FirstUntold : from;
            if (!readOnly && next > box.FirstUntold) box.FirstUntold = next;
            return first < next ? first : next;
        }
    }

    internal void Close(MemoryBox box, bool readOnly)
    {
        lock (_gate)
        {
            box.Readers--;
            if (!readOnly) box.Writers--;
            if (box.Readers > 0) return;
            // Nobody can still have what was expunged.
            foreach (Uid uid in box.Entries.Keys.Where(uid => !box.Version.Contains(uid)).ToArray()) box.Entries.Remove(uid);
        }
    }

    internal Result<AppendReceipt> Append(MailboxName target, IReadOnlyList<NewMessage> messages)
    {
        MemoryMessage[] contents = [.. messages.Select(message => new MemoryMessage(MemorySink.BytesOf(message.Content)))];
        lock (_gate)
        {
            if (!_boxes.TryGetValue(target.Value, out MemoryBox? box)) return NoMailbox;
            Result<Done> room = Room(contents.Sum(content => (long)content.Bytes.Length), contents.Length);
            if (!room.IsOk) return room.Refusal;
            List<(MemoryMessage, SystemFlags, KeywordSet, DateTimeOffset)> added = [];
            for (int i = 0; i < contents.Length; i++) added.Add((contents[i], messages[i].Flags, messages[i].Keywords, messages[i].InternalDate));
            Uid[] uids = Add(box, added);
            Announce();
            return new AppendReceipt(box.Id, box.Version.Validity, [.. uids.Select((uid, i) => new StoredMessage(box.Id, box.Version.Validity, uid, contents[i].EmailId))]);
        }
    }

    internal static Refusal Gone { get; } = new(RefusalKind.Expunged, "The message to be replaced is gone");

    internal Result<AppendReceipt> Replace(Replacement replacement)
    {
        MemoryMessage content = new(MemorySink.BytesOf(replacement.Message.Content));
        lock (_gate)
        {
            if (BoxOf(replacement.Source) is not { } source || !_boxes.TryGetValue(replacement.Target.Value, out MemoryBox? box)) return NoMailbox;
            int at = source.Version.IndexOf(replacement.Old);
            if (at < 0) return Gone;
            long more = content.Bytes.Length - source.Version[at].Size;
            Result<Done> room = more > 0 ? Room(more, 0) : Posthorn.Core.Done.It;
            if (!room.IsOk) return room.Refusal;
            NewMessage message = replacement.Message;
            Uid[] uids = Add(box, [(content, message.Flags, message.Keywords, message.InternalDate)]);
            Remove(source, [replacement.Old]);
            Announce();
            return new AppendReceipt(box.Id, box.Version.Validity, [new(box.Id, box.Version.Validity, uids[0], content.EmailId)]);
        }
    }

    internal Result<StoredMessage> Deliver(LocalDelivery delivery, MemoryMessage content)
    {
        lock (_gate)
        {
            Result<Done> room = Room(content.Bytes.Length, 1);
            if (!room.IsOk) return room.Refusal;
            if (!_boxes.TryGetValue(delivery.Mailbox.Value, out MemoryBox? box))
                box = delivery.Create ? Make(delivery.Mailbox, delivery.CreateUse) : _boxes[MailboxName.Inbox.Value];
            Uid[] uids = Add(box, [(content, delivery.Flags, delivery.Keywords, _time.GetUtcNow())]);
            Announce();
            return new StoredMessage(box.Id, box.Version.Validity, uids[0], content.EmailId);
        }
    }

    internal Result<Placement> Copy(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, bool move)
    {
        lock (_gate)
        {
            if (BoxOf(source) is not { } from || !_boxes.TryGetValue(target.Value, out MemoryBox? into)) return NoMailbox;
            Uid[] sources = [.. uids.Where(from.Version.Contains).Distinct()];
            MessageRow[] rows = [.. sources.Select(uid => from.Version[from.Version.IndexOf(uid)])];
            if (!move)
            {
                Result<Done> room = Room(rows.Sum(row => row.Size), rows.Length);
                if (!room.IsOk) return room.Refusal;
            }
            Uid[] targets = Add(into, [.. rows.Select(row => (from.Entries[row.Uid].Message, row.Flags, row.Keywords, row.InternalDate))]);
            if (move) Remove(from, sources);
            if (sources.Length > 0) Announce();
            return new Placement(into.Id, into.Version.Validity, sources, targets);
        }
    }

    internal Result<FlagOutcome> ChangeFlags(MailboxId mailbox, IReadOnlyList<Uid> uids, FlagChange change, UnchangedSince? unchangedSince)
    {
        lock (_gate)
        {
            if (BoxOf(mailbox) is not { } box) return NoMailbox;
            List<Uid> changed = [], modified = [];
            SortedDictionary<Uid, MessageRow> upserts = [];
            ModSeq next = new(_modSeq + 1);
            foreach (Uid uid in uids)
            {
                int at = box.Version.IndexOf(uid);
                if (at < 0) continue;
                MessageRow row = box.Version[at];
                if (unchangedSince?.Admits(row, change) == false)
                {
                    modified.Add(uid);
                    continue;
                }
                changed.Add(uid);
                MessageRow wanted = Changed(row, change);
                if (wanted.Flags != row.Flags || !wanted.Keywords.Equals(row.Keywords)) upserts[uid] = wanted with { ModSeq = next };
            }
            if (upserts.Count > 0)
            {
                _modSeq = next.Value;
                KeywordSet keywords = upserts.Values.Aggregate(box.Version.Keywords, (all, row) => all.Union(row.Keywords));
                box.Publish(box.Version.With([.. upserts.Values], [], box.Version.UidNext, next, keywords));
                Announce();
            }
            return new FlagOutcome(changed, modified);
        }
    }

    internal Result<IReadOnlyList<Uid>> Expunge(MailboxId mailbox, IReadOnlyList<Uid>? only)
    {
        lock (_gate)
        {
            if (BoxOf(mailbox) is not { } box) return NoMailbox;
            HashSet<Uid>? among = only is null ? null : [.. only];
            Uid[] gone = [.. box.Version.Chunks.SelectMany(chunk => chunk.ToArray())
                .Where(row => row.Flags.HasFlag(SystemFlags.Deleted) && among?.Contains(row.Uid) != false).Select(row => row.Uid)];
            Remove(box, gone);
            if (gone.Length > 0) Announce();
            return gone;
        }
    }

    internal IReadOnlyList<UidRange> ExpungedSince(MailboxId mailbox, ModSeq since)
    {
        lock (_gate) return BoxOf(mailbox) is { } box ? UidRange.Of([.. box.Tombstones.Where(stone => stone.ModSeq > since).Select(stone => stone.Uid).Order()]) : [];
    }

    internal MemoryEntry? Find(MailboxId mailbox, Uid uid)
    {
        lock (_gate) return BoxOf(mailbox)?.Entries.GetValueOrDefault(uid);
    }

    internal IReadOnlyList<Uid> Search(MailboxId mailbox, IReadOnlyList<Uid> candidates, MessageSearch search) =>
        [.. candidates.Where(uid => Find(mailbox, uid) is { } entry && search.Matches(entry.Message.Bytes))];

    /// <summary>Whom it lets see something.</summary>
    internal bool SharesWith(string identifier)
    {
        lock (_gate) return _boxes.Values.Any(box => box.Acl.Entries.Any(entry => (entry.Identifier == identifier || entry.Identifier == MailboxAcl.Anyone) && entry.Rights != MailboxRights.None));
    }

    /// <summary>Takes messages of another account in.</summary>
    internal Result<Placement> Take(MailboxName target, MailboxRights rights, IReadOnlyList<(MessageRow Row, MemoryMessage Message)> messages)
    {
        lock (_gate)
        {
            if (!_boxes.TryGetValue(target.Value, out MemoryBox? box)) return NoMailbox;
            Result<Done> room = Room(messages.Sum(message => message.Row.Size), messages.Count);
            if (!room.IsOk) return room.Refusal;
            Uid[] targets = Add(box, [.. messages.Select(each => (each.Message, each.Row.Flags & FlagRights.Flags(rights), FlagRights.Keywords(rights) ? each.Row.Keywords : KeywordSet.Empty, each.Row.InternalDate))]);
            if (targets.Length > 0) Announce();
            return new Placement(box.Id, box.Version.Validity, [.. messages.Select(each => each.Row.Uid)], targets);
        }
    }

    /// <summary>The messages that still exist, in order.</summary>
    internal IReadOnlyList<(MessageRow Row, MemoryMessage Message)> Give(MailboxId source, IReadOnlyList<Uid> uids)
    {
        lock (_gate)
        {
            if (BoxOf(source) is not { } box) return [];
            return [.. uids.Distinct().Where(box.Version.Contains).Select(uid => (box.Version[box.Version.IndexOf(uid)], box.Entries[uid].Message))];
        }
    }

    internal void Forget(MailboxId source, IReadOnlyList<Uid> uids)
    {
        lock (_gate)
        {
            if (BoxOf(source) is not { } box || uids.Count == 0) return;
            Remove(box, [.. uids.Where(box.Version.Contains)]);
            Announce();
        }
    }

    internal QuotaState Quota()
    {
        lock (_gate) return new(UsedBytes, _limitBytes, UsedMessages, _limitMessages);
    }

    internal Result<Done> HasRoom(long octets, int messages)
    {
        lock (_gate) return Room(octets, messages);
    }

    private long UsedBytes => _boxes.Values.Sum(box => box.Version.Chunks.SelectMany(chunk => chunk.ToArray()).Sum(row => row.Size));

    private long UsedMessages => _boxes.Values.Sum(box => (long)box.Version.Count);

    private Result<Done> Room(long octets, int messages)
    {
        if (UsedBytes + octets > _limitBytes || UsedMessages + messages > _limitMessages) return new Refusal(RefusalKind.OverQuota, "The mailbox is full");
        return Posthorn.Core.Done.It;
    }

    private MailboxInfo Info(MemoryBox box) => new(box.Name, box.Id, box.Use, _subscriptions.Contains(box.Name.Value), box.Version.HighestModSeq) { Acl = box.Acl, Rights = box.Acl.RightsOf(_owner, _owner) };

    private MemoryBox? BoxOf(MailboxId id) => _boxes.Values.FirstOrDefault(box => box.Id == id);

    private MemoryBox Make(MailboxName name, SpecialUse use)
    {
        MemoryBox box = new(new(_prefix + (++_ids).ToString(CultureInfo.InvariantCulture)), name, use, new(++_validity));
        _boxes.Add(name.Value, box);
        _modSeq++;
        return box;
    }

    private Result<Done> RenameInbox(MailboxName target)
    {
        MemoryBox inbox = _boxes[MailboxName.Inbox.Value];
        MemoryBox box = Make(target, SpecialUse.None);
        MessageRow[] rows = [.. inbox.Version.Chunks.SelectMany(chunk => chunk.ToArray())];
        Add(box, [.. rows.Select(row => (inbox.Entries[row.Uid].Message, row.Flags, row.Keywords, row.InternalDate))]);
        Remove(inbox, [.. rows.Select(row => row.Uid)]);
        foreach (Annotation note in Notes.Of(inbox.Id)) Notes.Put(note with { Mailbox = box.Id, Changed = new(_modSeq) });
        Announce();
        return Posthorn.Core.Done.It;
    }

    private Uid[] Add(MemoryBox box, List<(MemoryMessage Message, SystemFlags Flags, KeywordSet Keywords, DateTimeOffset Internal)> messages)
    {
        if (messages.Count == 0) return [];
        ModSeq modSeq = new(++_modSeq);
        uint next = box.Version.UidNext.Value;
        List<MessageRow> rows = [];
        KeywordSet keywords = box.Version.Keywords;
        foreach ((MemoryMessage message, SystemFlags flags, KeywordSet words, DateTimeOffset date) in messages)
        {
            Uid uid = new(next++);
            rows.Add(new(uid, message.Facts.WireLength, date.ToUnixTimeSeconds(), modSeq, flags, words, (short)date.TotalOffsetMinutes));
            box.Entries.Add(uid, new(message, _time.GetUtcNow(), ThreadOf(message)));
            keywords = keywords.Union(words);
        }
        box.Publish(box.Version.With(rows, [], new(next), modSeq, keywords));
        return [.. rows.Select(row => row.Uid)];
    }

    // That of the nearest message it refers to, else that of an answer that came before it, else its own.
    private ThreadId ThreadOf(MemoryMessage message)
    {
        SortKeys keys = message.Facts.Sort;
        string[] ids = [.. keys.References.Reverse(), .. keys.MessageId.Length > 0 ? (string[])[keys.MessageId] : []];
        string? known = ids.FirstOrDefault(_threads.ContainsKey);
        ThreadId thread = message.Thread ??= known is null ? new(message.EmailId.Value) : _threads[known];
        foreach (string id in ids) _threads.TryAdd(id, thread);
        return thread;
    }

    private void Remove(MemoryBox box, Uid[] uids)
    {
        if (uids.Length == 0) return;
        ModSeq modSeq = new(++_modSeq);
        box.Tombstones.AddRange(uids.Select(uid => (uid, modSeq)));
        if (box.Readers == 0)
            foreach (Uid uid in uids) box.Entries.Remove(uid);
        box.Publish(box.Version.With([], [.. uids.Order()], box.Version.UidNext, modSeq, box.Version.Keywords));
    }

    private void Announce()
    {
        ChangeNumber++;
        TaskCompletionSource changed = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }

    private static MessageRow Changed(MessageRow row, FlagChange change) => change.Operation switch
    {
        FlagOperation.Replace => row with { Flags = change.Flags, Keywords = change.Keywords },
        FlagOperation.Add => row with { Flags = row.Flags | change.Flags, Keywords = row.Keywords.Union(change.Keywords) },
        _ => row with { Flags = row.Flags & ~change.Flags, Keywords = row.Keywords.Except(change.Keywords) },
    };
}
