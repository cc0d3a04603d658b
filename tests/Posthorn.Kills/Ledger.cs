using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Posthorn.Kills;

/// <summary>What the server owes: every message that it acknowledged, every number that it told, for each account.</summary>
/// <remarks>Locking: one lock over everything; nothing is awaited under it. While the server runs, workers write down what they begin and what they are told;
/// after a kill the inspector settles what was under way: from then on it is known and must stay so.</remarks>
internal sealed class Ledger
{
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Int128> _letters = [];
    private readonly List<string> _violations = [];
    private long _lastId;

    public Ledger(IEnumerable<ServerAccount> accounts) => Accounts = [.. accounts.Select(account => new AccountLedger(this, account))];

    public IReadOnlyList<AccountLedger> Accounts { get; }

    public Lock Gate => _lock;

    /// <summary>Messages and copies that the server took with a positive answer.</summary>
    public long Acknowledged { get; private set; }

    /// <summary>Messages that it refused for the time being.</summary>
    public long Refused { get; private set; }

    public long Lost { get; private set; }

    public long Twice { get; private set; }

    /// <summary>Everything else that must not be: a number with another meaning, a damaged message, a folder that is gone.</summary>
    public long Lies { get; private set; }

    public bool IsClean => Lost == 0 && Twice == 0 && Lies == 0;

    /// <summary>The first violations in words.</summary>
    public IReadOnlyList<string> Violations
    {
        get { lock (_lock) return [.. _violations]; }
    }

    /// <summary>Writes a letter that has never been before.</summary>
    public (long Id, byte[] Bytes) NewLetter(int seed, string to)
    {
        long id = Interlocked.Increment(ref _lastId);
        byte[] bytes = Letter.Write(seed, id, to);
        Int128 hash = Letter.Hash(bytes);
        lock (_lock) _letters.Add(id, hash);
        return (id, bytes);
    }

    public void Count(int acknowledged, int refused)
    {
        lock (_lock) (Acknowledged, Refused) = (Acknowledged + acknowledged, Refused + refused);
    }

    public bool IsWhole(long id, Int128 hash)
    {
        lock (_lock) return _letters.TryGetValue(id, out Int128 known) && known == hash;
    }

    public void SayLost(string what) => Say(what, () => Lost++);

    public void SayTwice(string what) => Say(what, () => Twice++);

    public void SayLie(string what) => Say(what, () => Lies++);

    private void Say(string what, Action count)
    {
        lock (_lock)
        {
            count();
            if (_violations.Count < 50) _violations.Add(what);
        }
    }
}

/// <summary>How a number stands in a mailbox.</summary>
internal enum SlotState
{
    There,
    /// <summary>A command that may remove it is under way.</summary>
    Leaving,
    Gone,
}

/// <summary>A UID that a client was told, and what it means.</summary>
internal struct Slot
{
    public long Id;
    public SlotState State;
}

/// <summary>One mailbox of an account, under whatever name it has.</summary>
internal sealed class BoxLedger(string name)
{
    public string Name { get; set; } = name;

    /// <summary>A rename to this is under way.</summary>
    public string? NewName { get; set; }

    /// <summary>A CREATE or DELETE is under way: it may be there or not.</summary>
    public bool MayBeAbsent { get; set; }

    public uint Validity { get; set; }
    public uint HighestUid { get; set; }
    public ulong HighestModSeq { get; set; }
    public Dictionary<uint, Slot> Slots { get; } = [];

    /// <summary>The UIDs that are there and nobody is at work on.</summary>
    public List<uint> Idle { get; } = [];
}

/// <summary>How many copies of a letter an account must and may have over all its mailboxes.</summary>
internal struct Copies
{
    public int Least;
    public int Most;
    public int Seen;
}

/// <summary>What one account is owed. All methods take the ledger's lock.</summary>
internal sealed class AccountLedger(Ledger ledger, ServerAccount account)
{
    private readonly Dictionary<long, Copies> _copies = [];
    private readonly HashSet<long> _busy = [];
    private readonly HashSet<long> _touched = [];
    private readonly Dictionary<long[], string> _together = [];

    public ServerAccount Account => account;

    /// <summary>What the one who watches INBOX believes of it.</summary>
    public MailView View { get; } = new();

    public ConcurrentDictionary<string, BoxLedger> Boxes { get; } = new() { ["INBOX"] = new("INBOX"), ["Archive"] = new("Archive"), ["Trash"] = new("Trash") };

    /// <summary>So many copies of a letter are on their way in.</summary>
    public void Expect(long id) => Change(id, 0, 1);

    /// <summary>They were acknowledged.</summary>
    public void Acknowledge(long id) => Change(id, 1, 0);

    /// <summary>They were refused, or never wholly sent: they must not appear.</summary>
    public void Withdraw(long id) => Change(id, 0, -1);

    /// <summary>Letters that one command carries: all of them come, or none. The answer to it, if it comes, goes to <see cref="Answered"/>.</summary>
    public long[] Together(string what, long[] ids)
    {
        lock (ledger.Gate) _together.Add(ids, what);
        return ids;
    }

    /// <summary>The command was answered: what becomes of each letter is its own affair now.</summary>
    public void Answered(long[] together)
    {
        lock (ledger.Gate) _together.Remove(together);
    }

    private void Change(long id, int least, int most)
    {
        lock (ledger.Gate) ChangeLocked(id, least, most);
    }

    private void ChangeLocked(long id, int least, int most)
    {
        ref Copies copies = ref CollectionsMarshal.GetValueRefOrAddDefault(_copies, id, out _);
        (copies.Least, copies.Most) = (copies.Least + least, copies.Most + most);
        _touched.Add(id);
    }

    /// <summary>The server told that this UID is this letter.</summary>
    public void Told(BoxLedger box, uint uid, long id)
    {
        lock (ledger.Gate)
        {
            box.HighestUid = Math.Max(box.HighestUid, uid);
            if (box.Slots.TryGetValue(uid, out Slot slot))
            {
                if (slot.Id != id) ledger.SayLie($"{account.LocalPart} {box.Name}: UID {uid} was number {slot.Id} and is told as {id}");
                return;
            }
            box.Slots.Add(uid, new() { Id = id, State = SlotState.There });
            box.Idle.Add(uid);
            CollectionsMarshal.GetValueRefOrAddDefault(_copies, id, out _).Seen++;
            _touched.Add(id);
        }
    }

    /// <summary>Takes up to so many messages of a mailbox for one worker to file. Give them back with one of the three below.</summary>
    public List<(uint Uid, long Id)> Claim(BoxLedger box, Random random, int count)
    {
        lock (ledger.Gate)
        {
            List<(uint, long)> claimed = [];
            for (int tries = count * 2; tries > 0 && claimed.Count < count && box.Idle.Count > 0; tries--)
            {
                int at = random.Next(box.Idle.Count);
                uint uid = box.Idle[at];
                long id = box.Slots[uid].Id;
                if (!_busy.Add(id)) continue;
                (box.Idle[at], box.Idle[^1]) = (box.Idle[^1], box.Idle[at]);
                box.Idle.RemoveAt(box.Idle.Count - 1);
                claimed.Add((uid, id));
            }
            return claimed;
        }
    }

    /// <summary>A MOVE or EXPUNGE of claimed messages begins. A move keeps the count, whatever becomes of it.</summary>
    public void Leaving(BoxLedger box, List<(uint Uid, long Id)> claimed, bool forGood)
    {
        lock (ledger.Gate)
            foreach ((uint uid, long id) in claimed)
            {
                CollectionsMarshal.GetValueRefOrNullRef(box.Slots, uid).State = SlotState.Leaving;
                ChangeLocked(id, forGood ? -1 : 0, 0);
            }
    }

    /// <summary>It was acknowledged.</summary>
    public void Left(BoxLedger box, List<(uint Uid, long Id)> claimed, bool forGood)
    {
        lock (ledger.Gate)
            foreach ((uint uid, long id) in claimed)
            {
                CollectionsMarshal.GetValueRefOrNullRef(box.Slots, uid).State = SlotState.Gone;
                CollectionsMarshal.GetValueRefOrNullRef(_copies, id).Seen--;
                ChangeLocked(id, 0, forGood ? -1 : 0);
                _busy.Remove(id);
            }
    }

    /// <summary>The command is done, or was refused, and the messages are where they were.</summary>
    public void Release(BoxLedger box, List<(uint Uid, long Id)> claimed)
    {
        lock (ledger.Gate)
            foreach ((uint uid, long id) in claimed)
            {
                ref Slot slot = ref CollectionsMarshal.GetValueRefOrNullRef(box.Slots, uid);
                slot.State = SlotState.There;
                box.Idle.Add(uid);
                _busy.Remove(id);
            }
    }

    /// <summary>A copy that was seen is not there any more.</summary>
    public void Missing(long id)
    {
        lock (ledger.Gate)
        {
            CollectionsMarshal.GetValueRefOrNullRef(_copies, id).Seen--;
            _touched.Add(id);
        }
    }

    /// <summary>A mailbox that may come into being.</summary>
    public BoxLedger AddBox(string name)
    {
        lock (ledger.Gate) return Boxes[name] = new(name) { MayBeAbsent = true };
    }

    /// <summary>A mailbox of this name must not be any more; what lay in it is gone.</summary>
    public void RemoveBox(BoxLedger box)
    {
        lock (ledger.Gate)
        {
            Boxes.TryRemove(box.Name, out _);
            foreach (Slot slot in box.Slots.Values)
                if (slot.State != SlotState.Gone) Missing(slot.Id);
        }
    }

    /// <summary>A mailbox has its new name.</summary>
    public void Renamed(BoxLedger box)
    {
        lock (ledger.Gate)
        {
            Boxes.TryRemove(box.Name, out _);
            (box.Name, box.NewName) = (box.NewName!, null);
            Boxes[box.Name] = box;
        }
    }

    /// <summary>Nothing is under way any more, and every mailbox was read: settles what each letter's fate is.</summary>
    public void Settle()
    {
        lock (ledger.Gate)
        {
            foreach ((long[] ids, string what) in _together)
            {
                int came = ids.Count(id => _copies[id].Seen == _copies[id].Most);
                if (came != 0 && came != ids.Length) ledger.SayLie($"{account.LocalPart}: {what} was done in part: {came} of {ids.Length}, numbers {string.Join(',', ids)}");
            }
            foreach (long id in _touched)
            {
                ref Copies copies = ref CollectionsMarshal.GetValueRefOrNullRef(_copies, id);
                if (copies.Seen < copies.Least) ledger.SayLost($"{account.LocalPart}: number {id} is there {copies.Seen} times, must be {copies.Least}");
                if (copies.Seen > copies.Most) ledger.SayTwice($"{account.LocalPart}: number {id} is there {copies.Seen} times, may be {copies.Most}");
                copies.Least = copies.Most = copies.Seen;
            }
            _together.Clear();
            _touched.Clear();
            _busy.Clear();
        }
    }
}
