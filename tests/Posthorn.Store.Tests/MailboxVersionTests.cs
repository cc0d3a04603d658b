using CsCheck;
using Posthorn.Core;

namespace Posthorn.Store.Tests;

public sealed class MailboxVersionTests
{
    private static MessageRow Row(uint uid, long modSeq) => new(new(uid), 100 + uid, 1000, new(modSeq), SystemFlags.None, KeywordSet.Empty, 0);

    private static MailboxVersion Load(IEnumerable<MessageRow> rows, uint next) =>
        MailboxVersion.Load(rows, new(7), new(next), new(1), KeywordSet.Empty);

    // One step of a mailbox's life: how many messages come, and which of those there change or go (by a number that is taken modulo).
    private static readonly Gen<(int Added, int[] Changed, int[] Removed)[]> Histories =
        Gen.Select(Gen.Frequency((6, Gen.Int[0, 3]), (1, Gen.Int[200, 900])), Gen.Int[0, 5000].Array[0, 6], Gen.Frequency((4, Gen.Int[0, 5000].Array[0, 4]), (1, Gen.Int[0, 5000].Array[100, 700])))
            .Array[1, 12];

    [Fact]
    public void What_is_absent_agrees_with_a_plain_list() =>
        Gen.Select(Gen.UInt[1, 60].HashSet[0, 40], Gen.UInt[1, 70], Gen.UInt[0, 20]).Sample((there, first, more) =>
        {
            MailboxVersion version = Load(there.Order().Select(uid => Row(uid, 1)), 61);
            Uid[] plain = [.. Enumerable.Range((int)first, (int)more + 1).Select(uid => new Uid((uint)uid)).Where(uid => !there.Contains(uid.Value))];
            List<UidRange> ranges = [.. UidRange.Absent(version, new(new(first), new(first + more)))];
            Assert.Equal(plain, ranges.SelectMany(range => Enumerable.Range((int)range.First.Value, (int)range.Count)).Select(uid => new Uid((uint)uid)));
            Assert.Equal(UidRange.Of(plain), ranges);
        });

    [Fact]
    public void Versions_agree_with_a_plain_list()
    {
        Histories.Sample(history =>
        {
            SortedDictionary<uint, MessageRow> model = [];
            MailboxVersion version = Load([], 1);
            List<(MailboxVersion Version, Dictionary<uint, MessageRow> Model)> earlier = [(version, [])];
            uint next = 1;
            long modSeq = 1;
            foreach ((int added, int[] changed, int[] removed) in history)
            {
                modSeq++;
                uint[] there = [.. model.Keys];
                uint[] gone = there.Length == 0 ? [] : [.. removed.Select(i => there[i % there.Length]).Distinct().Order()];
                SortedDictionary<uint, MessageRow> upserts = [];
                foreach (int i in changed)
                    if (there.Length > 0 && !gone.Contains(there[i % there.Length])) upserts[there[i % there.Length]] = Row(there[i % there.Length], modSeq);
                for (int i = 0; i < added; i++, next++) upserts[next] = Row(next, modSeq);
                version = version.With([.. upserts.Values], [.. gone.Select(uid => new Uid(uid))], new(next), new(modSeq), KeywordSet.Empty);
                foreach ((uint uid, MessageRow row) in upserts) model[uid] = row;
                foreach (uint uid in gone) model.Remove(uid);
                Same(version, model, next);
                earlier.Add((version, new(model)));
            }

            foreach ((MailboxVersion old, Dictionary<uint, MessageRow> was) in earlier) Compare(old, was, version, model);
        }, iter: 300);
    }

    private static void Same(MailboxVersion version, SortedDictionary<uint, MessageRow> model, uint next)
    {
        Assert.Equal(model.Count, version.Count);
        Assert.Equal(new Uid(next), version.UidNext);
        Assert.Equal(model.Values, version.Chunks.SelectMany(chunk => chunk.ToArray()));
        int at = 0;
        foreach (MessageRow row in model.Values)
        {
            Assert.Equal(row, version[at]);
            Assert.Equal(at, version.IndexOf(row.Uid));
            at++;
        }

        at = 0;
        for (uint uid = 1; uid <= next; uid++)
        {
            if (model.ContainsKey(uid)) at++;
            else Assert.Equal(~at, version.IndexOf(new(uid)));
        }
    }

    private static void Compare(MailboxVersion old, Dictionary<uint, MessageRow> was, MailboxVersion now, SortedDictionary<uint, MessageRow> model)
    {
        VersionDifference difference = now.Since(old);
        Assert.Equal(was.Keys.Where(uid => !model.ContainsKey(uid)).Order(), difference.Expunged.Select(uid => uid.Value));
        Assert.Equal(was.Values.Where(row => model.TryGetValue(row.Uid.Value, out MessageRow newer) && newer.ModSeq != row.ModSeq).Select(row => row.Uid.Value).Order(),
            difference.Changed.Select(at => now[at].Uid.Value));
        Assert.Equal(model.Keys.Where(uid => uid >= old.UidNext.Value), now.Chunks.SelectMany(chunk => chunk.ToArray()).Skip(difference.FirstNew).Select(row => row.Uid.Value));
        Assert.Equal(difference.Expunged.Count == 0 && difference.Changed.Count == 0 && difference.FirstNew == now.Count, difference.IsEmpty(now));
    }

    [Fact]
    public void Chunks_that_did_not_change_are_shared()
    {
        MailboxVersion version = Load(Enumerable.Range(1, 10_000).Select(i => Row((uint)i, 1)), 10_001);
        MailboxVersion next = version.With([Row(5000, 2)], [], new(10_001), new(2), KeywordSet.Empty);
        int shared = version.Chunks.Zip(next.Chunks).Count(pair => pair.First.Equals(pair.Second));
        Assert.Equal(version.Chunks.Count() - 1, shared);
    }

    [Fact]
    public void A_million_messages_take_less_than_a_hundred_bytes_each()
    {
        long before = GC.GetTotalMemory(forceFullCollection: true);
        MailboxVersion version = Load(Enumerable.Range(1, 1_000_000).Select(i => Row((uint)i, 1)), 1_000_001);
        long each = (GC.GetTotalMemory(forceFullCollection: true) - before) / 1_000_000;
        Assert.InRange(each, 30, 100);
        Assert.Equal(1_000_000, version.Count);
    }
}
