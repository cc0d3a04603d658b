using Posthorn.Core;
using Posthorn.Store.Catalogue;

namespace Posthorn.Store.Tests.Catalogue;

/// <summary>Rows that are changed in part stay whole: what a statement leaves alone is as before, and every checksum holds.</summary>
public sealed class CatalogueRowTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-rows-").FullName;

    private string CataloguePath => _directory + "/catalogue.db";

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static MailboxRow Box(string name, uint uidNext = 1, long messages = 0) =>
        new(1, new("Minbox"), name, SpecialUse.None, new(7)) { UidNext = new(uidNext), Highest = new(3), Floor = new(1), FirstRecent = new(1), Counts = new(messages, 0, 0, 0, 0), Tombstones = 0 };

    private static StoredRow Message(uint uid, SystemFlags flags, long modSeq) =>
        new(new(new(uid), 100 + uid, 1000, new(modSeq), flags, KeywordSet.Empty, 60), uid + 10, 5);

    private static void In(AccountCatalogue catalogue, Action work)
    {
        catalogue.Begin();
        work();
        catalogue.Commit();
    }

    [Fact]
    public void A_mailbox_keeps_what_it_counts_under_its_name_and_under_another()
    {
        using (AccountCatalogue catalogue = new(CataloguePath))
        {
            In(catalogue, () => catalogue.PutMailbox(Box("One")));
            In(catalogue, () => catalogue.PutMailbox(Box("One", uidNext: 5, messages: 4)));
            Assert.Equal(Box("One", uidNext: 5, messages: 4), Assert.Single(catalogue.Mailboxes()));
            In(catalogue, () => catalogue.PutMailbox(Box("Two", uidNext: 6, messages: 5)));
        }

        using AccountCatalogue again = new(CataloguePath);
        Assert.Equal(Box("Two", uidNext: 6, messages: 5), Assert.Single(again.Mailboxes()));
    }

    [Fact]
    public void Flags_change_and_nothing_else_of_a_message_and_names_that_must_follow_are_those_of_the_range()
    {
        using AccountCatalogue catalogue = new(CataloguePath);
        In(catalogue, () =>
        {
            catalogue.PutMailbox(Box("One"));
            for (uint uid = 1; uid <= 6; uid++)
            {
                catalogue.PutMessage(1, Message(uid, SystemFlags.None, 2));
                catalogue.PutFile(1, new(uid), $"new/{uid}", $"{uid}", dirty: false);
            }
        });
        In(catalogue, () =>
        {
            catalogue.PutFlags(1, Message(3, SystemFlags.Seen, 9));
            catalogue.MarkDirty(1, new(3), new(4));
            catalogue.MarkDirty(1, new(6), new(6));
            catalogue.MarkDirty(1, new(4), new(4));
        });
        Assert.True(catalogue.TryGetMessage(1, new(3), out StoredRow changed));
        Assert.Equal(Message(3, SystemFlags.Seen, 9), changed);
        Assert.Equal([1, 2, 3, 4, 5, 6], catalogue.Messages(1).Select(row => (int)row.Row.Uid.Value));
        Assert.Equal([3, 4, 6], catalogue.Dirty(10).Select(row => (int)row.Uid.Value).Order());
        Assert.Equal([(1L, new Uid(3))], catalogue.Contents.CopiesOf(13));
    }

    [Fact]
    public void What_each_transaction_moves_on_is_there_after_one_that_was_rolled_back()
    {
        using AccountCatalogue catalogue = new(CataloguePath);
        In(catalogue, () => catalogue.SetProgress(10, 20, 30));
        catalogue.Begin();
        catalogue.SetProgress(11, 21, 31);
        catalogue.Rollback();
        Assert.Equal((10, 20, 30), Progress(catalogue));
        In(catalogue, () => catalogue.SetProgress(12, 22, 31));
        Assert.Equal((12, 22, 31), Progress(catalogue));
        In(catalogue, () => catalogue.SetProgress(13, 23, 31));
        Assert.Equal((13, 23, 31), Progress(catalogue));
    }

    [Fact]
    public void A_statement_that_is_disposed_says_so()
    {
        Database database = new(_directory + "/other.db");
        Statement statement = database.Prepare("SELECT ?1");
        Assert.True(statement.Bind(1, 5).Step());
        Assert.Equal(5, statement.Int64(0));
        Assert.Equal("5", statement.Text(0));
        database.Dispose();
        Assert.Throws<ObjectDisposedException>(() => statement.Step());
        Assert.Throws<ObjectDisposedException>(() => statement.Bind(1, 6));
        Assert.Throws<ObjectDisposedException>(() => statement.Int64(0));
        Assert.Throws<ObjectDisposedException>(() => statement.Text(0));
        Assert.Throws<ObjectDisposedException>(statement.Reset);
    }

    private static (long Applied, long ModSeq, long Validity) Progress(AccountCatalogue catalogue) =>
        (catalogue.Meta(MetaKey.Applied).Number, catalogue.Meta(MetaKey.ModSeq).Number, catalogue.Meta(MetaKey.Validity).Number);
}
