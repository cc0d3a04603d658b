using Posthorn.Core;
using Posthorn.Store.Changes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Changes;

public sealed class ChangeCodecTests
{
    private static readonly MailAccount Ann = new() { Address = EmailAddress.Parse("ann@example.org"), MailRoot = "/mail/änn", Home = "/home/ann" };

    [Fact]
    public void Every_kind_of_change_comes_back()
    {
        MailboxId one = new("0123"), two = new("4567");
        Change[] changes =
        [
            new Change.Store(one, new(uint.MaxValue), new("e1"), 3)
            {
                Flags = SystemFlags.Seen, Keywords = Keywords("a", "b"), Internal = -5, Zone = -210, Prefix = new byte[] { 1, 2, 3 }, Offset = 1L << 40, Length = 77,
            },
            new Change.Store(two, new(1), new("e2"), 0)
            {
                Flags = SystemFlags.None, Keywords = KeywordSet.Empty, Internal = 7, Zone = 0, Prefix = default, Offset = 0, Length = 77, LfOctets = 71,
            },
            new Change.Store(two, new(2), new("e3"), 1) { Flags = SystemFlags.None, Keywords = KeywordSet.Empty, Internal = 7, Zone = 0, Prefix = default, Offset = 0, Length = 77, Thread = new("t1") },
            new Change.Store(two, new(3), new("e4"), 2) { Flags = SystemFlags.None, Keywords = KeywordSet.Empty, Internal = 7, Zone = 0, Prefix = default, Offset = 0, Length = 77, LfOctets = 0, Thread = new("t2") },
            new Change.Create(one, Name("Grüße.日本"), SpecialUse.Junk, new(uint.MaxValue)),
            new Change.Delete(one, Name("x")),
            new Change.Rename(one, Name("a"), Name("b.c")),
            new Change.Subscribe(Name("s"), true),
            new Change.Claim(two, new(9)),
            new Change.Share(one, "-bob@example.org", Sharing.MailboxRights.Read),
            new Change.Share(one, "anyone", null),
        ];
        AccountChanges back = ChangeCodec.Read(ChangeCodec.Write(Ann, '.', 123456789, changes));
        Assert.Equal((Ann, Ann.MailRoot, '.', 123456789L), (back.Account, back.Account.MailRoot, back.Separator, back.Time));
        Change.Store store = Assert.IsType<Change.Store>(back.Changes[0]);
        Assert.Equal(((Change.Store)changes[0]).Prefix.ToArray(), store.Prefix.ToArray());
        Assert.Equal(changes[0], store with { Prefix = ((Change.Store)changes[0]).Prefix });
        Assert.Equal(changes[1], (Change.Store)back.Changes[1] with { Prefix = default });
        for (int i = 2; i < 4; i++) Assert.Equal(changes[i], (Change.Store)back.Changes[i] with { Prefix = default });
        Assert.Equal(changes.Skip(4), back.Changes.Skip(4));
        Assert.Equal((80, 80, 77, 71), (store.Received, store.Octets, ((Change.Store)back.Changes[1]).Received, ((Change.Store)back.Changes[1]).Octets));
    }

    [Fact]
    public void Lists_come_back()
    {
        Change[] changes =
        [
            new Change.Place(new("a"), new("b"), true, [new(new(1), new(2), "1.J2_3.host,S=4", 0), new(new(9), new(3), "\udc80latin", 1)]),
            new Change.Expunge(new("a"), [(new(7), "x"), (new(3), "y")]),
            new Change.Flag(new("a"), new(FlagOperation.Remove, SystemFlags.Draft, Keywords("k")), Uids(1, 2, 3, 1000, 5)),
            new Change.Adopt(new("a"), [new("new/x", new(1), new("e"), SystemFlags.Flagged, Keywords("q"), 99)]),
            new Change.Heard(new("a"), new(70), new(1L << 50), [(new(3), "P7 W9"), (new(4), "O1")]),
            new Change.Renumber(new("a"), Name("x"), new(uint.MaxValue), new(9), [(new(1), new(7)), (new(2), new(8))]),
            new Change.Annotate(new("a"), [("ann@example.org", "/private/x", new byte[] { 1, 0 }), ("", "/shared/y", null)]),
            new Change.Annotate(null, []),
        ];
        IReadOnlyList<Change> back = ChangeCodec.Read(ChangeCodec.Write(Ann, '.', 0, changes)).Changes;
        Change.Annotate annotate = Assert.IsType<Change.Annotate>(back[6]);
        Assert.Equal((new MailboxId("a"), "ann@example.org", "/private/x"), (annotate.Mailbox!.Value, annotate.Entries[0].User, annotate.Entries[0].Entry));
        Assert.Equal([1, 0], annotate.Entries[0].Value!.Value.ToArray());
        Assert.Equal(("", "/shared/y", (ReadOnlyMemory<byte>?)null), annotate.Entries[1]);
        Assert.Null(Assert.IsType<Change.Annotate>(back[7]).Mailbox);
        Assert.Equal(((Change.Place)changes[0]).Pairs, Assert.IsType<Change.Place>(back[0]).Pairs);
        Assert.Equal(((Change.Expunge)changes[1]).Messages, Assert.IsType<Change.Expunge>(back[1]).Messages);
        Assert.Equal(((Change.Flag)changes[2]).Uids, Assert.IsType<Change.Flag>(back[2]).Uids);
        Assert.Equal(((Change.Flag)changes[2]).What, ((Change.Flag)back[2]).What);
        Assert.Equal(((Change.Adopt)changes[3]).Files, Assert.IsType<Change.Adopt>(back[3]).Files);
        Assert.Equal(((Change.Heard)changes[4]).Messages, Assert.IsType<Change.Heard>(back[4]).Messages);
        Assert.Equal((new Uid(70), new ModSeq(1L << 50)), (((Change.Heard)back[4]).UidNext, ((Change.Heard)back[4]).ModSeq));
        Assert.Equal(((Change.Renumber)changes[5]).Uids, Assert.IsType<Change.Renumber>(back[5]).Uids);
        Assert.Equal((Name("x"), new UidValidity(uint.MaxValue), new Uid(9)), (((Change.Renumber)back[5]).Name, ((Change.Renumber)back[5]).Validity, ((Change.Renumber)back[5]).UidNext));
    }

    [Fact]
    public void A_step_that_is_cut_short_is_refused()
    {
        byte[] step = ChangeCodec.Write(Ann, '.', 5, [new Change.Subscribe(Name("s"), true), new Change.Claim(new("x"), new(7))]);
        for (int length = 1; length < step.Length; length++)
            Assert.ThrowsAny<Exception>(() => ChangeCodec.Read(step.AsMemory(0, length)));
        step[0] = 99;
        Assert.Throws<InvalidDataException>(() => ChangeCodec.Read(step));
    }
}
