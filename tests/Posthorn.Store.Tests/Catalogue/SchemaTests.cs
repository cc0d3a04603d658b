using System.Globalization;
using Posthorn.Core;
using Posthorn.Store.Catalogue;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Catalogue;

/// <summary>Catalogues that earlier versions wrote are read by this one.</summary>
public sealed class SchemaTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-schema-").FullName;

    private string CataloguePath => _directory + "/catalogue.db";

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    public static TheoryData<int> Earlier => [.. Enumerable.Range(1, Schema.Newest - 1)];

    private void Restore(int version)
    {
        using Database database = new(CataloguePath);
        database.Execute(File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"{AppContext.BaseDirectory}/Catalogue/version-{version}.sql")));
        Assert.Equal(version, database.Number("PRAGMA user_version"));
    }

    [Theory]
    [MemberData(nameof(Earlier))]
    public void An_earlier_catalogue_is_brought_forward_with_all_that_it_has(int version)
    {
        Restore(version);
        for (int opening = 0; opening < 2; opening++)
        {
            using AccountCatalogue catalogue = new(CataloguePath);
            Assert.Equal("c447b4aa35703ef3de10026486debeae", catalogue.Meta(MetaKey.Id).Text);
            Assert.Equal(16, catalogue.Meta(MetaKey.ModSeq).Number);
            MailboxRow box = catalogue.Mailboxes().Single(row => row.Name == "Work.Plan");
            Assert.Equal((new UidValidity(1795715847), new Uid(7), new ModSeq(16)), (box.Validity, box.UidNext, box.Highest));
            StoredRow[] rows = [.. catalogue.Messages(box.Id)];
            Assert.Equal(Uids(1, 2, 4, 5), rows.Select(row => row.Row.Uid));
            Assert.Equal((SystemFlags.Flagged, Keywords("$Label1", "project")), (rows[1].Row.Flags, rows[1].Row.Keywords));
            Assert.Equal(box.Counts, rows.Aggregate(default(Counts), (all, row) => all.With(row.Row, 1)));
            Assert.Equal(Uids(3, 6), catalogue.Tombstones.Since(box.Id, new(0), box.Tombstones));
            Assert.Equal(4, catalogue.Files(box.Id).Count);
            Assert.Contains("number2", System.Text.Encoding.UTF8.GetString(catalogue.Scan.Summary(box.Id, new(2), SummaryFields.Envelope)!.Envelope.Span), StringComparison.Ordinal);
            Assert.Contains("Work.Plan", catalogue.Subscriptions());
            Assert.Equal(["ok"], catalogue.Verify());
            Assert.Empty(catalogue.Audit.Strays());
        }
    }

    [Theory]
    [MemberData(nameof(Earlier))]
    public void What_is_written_after_that_has_checksums(int version)
    {
        Restore(version);
        using AccountCatalogue catalogue = new(CataloguePath);
        MailboxRow box = catalogue.Mailboxes().Single(row => row.Name == "Work.Plan");
        catalogue.PutMailbox(box with { UidNext = new(8) });
        catalogue.SetMeta(MetaKey.ModSeq, 17, "");
        Assert.Equal(new Uid(8), catalogue.Mailboxes().Single(row => row.Id == box.Id).UidNext);
        catalogue.Dispose();
        using (Database database = new(CataloguePath)) database.Execute("UPDATE mailboxes SET uid_next = 7 WHERE name = 'Work.Plan'");
        using AccountCatalogue again = new(CataloguePath);
        Assert.True(Assert.Throws<CatalogueException>(again.Mailboxes).IsDamage);
        Assert.True(again.IsDamaged);
        Assert.True(File.Exists(Database.DamageMark(CataloguePath)));
    }

    // Brought forward, an earlier catalogue has the tables that a fresh one has.
    [Theory]
    [MemberData(nameof(Earlier))]
    public void All_ways_lead_to_the_same_tables(int version)
    {
        Restore(version);
        using (AccountCatalogue catalogue = new(CataloguePath)) { }
        using (AccountCatalogue fresh = new(_directory + "/fresh.db")) { }
        Assert.Equal(TablesOf(_directory + "/fresh.db"), TablesOf(CataloguePath));
    }

    [Fact]
    public void A_catalogue_of_a_newer_program_is_refused()
    {
        using (Database database = new(CataloguePath)) database.Execute($"PRAGMA user_version = {Schema.Newest + 1}");
        CatalogueException problem = Assert.Throws<CatalogueException>(() => new AccountCatalogue(CataloguePath));
        Assert.Contains("newer", problem.Message, StringComparison.Ordinal);
        Assert.False(problem.IsDamage);
    }

    private static string[] TablesOf(string path)
    {
        using Database database = new(path);
        return [.. database.Texts("SELECT t.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'").Order(StringComparer.Ordinal),
            .. database.Texts("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").Order(StringComparer.Ordinal)];
    }
}
