using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Sharing;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Accounts whose trees were copied from one: their mailboxes have the same ids, and each user's commands reach the mailbox that he means.</summary>
public sealed class TwinIdTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-twins-").FullName;
    private readonly MaildirHarness _server;

    public TwinIdTests() => _server = new(_directory, new LinuxVolume(), new FakeTimeProvider(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero)));

    private MailAccount Account(string name) => MaildirHarness.Account(_directory, name);

    public async ValueTask InitializeAsync()
    {
        foreach (string name in (string[])["ann", "bob", "cid"])
        {
            string root = Account(name).MailRoot;
            foreach (string part in (string[])["new", "cur", "tmp"]) Directory.CreateDirectory($"{root}/{part}");
            await File.WriteAllTextAsync(root + "/dovecot-uidlist", "3 V1234 N2 G0123456789abcdef0123456789abcdef\n1 :100.a.host\n", Cancel);
            await File.WriteAllTextAsync(root + "/cur/100.a.host:2,", Text(name), Cancel);
        }

        await _server.StartAsync();
        foreach (string name in (string[])["bob", "cid"])
        {
            await using IMailStore store = await _server.MustOpenAsync(Account(name));
            Must(await store.ShareAsync((await store.FindAsync(MailboxName.Inbox, Cancel))!.Id!.Value, "ann@example.org", MailboxRights.All, Cancel));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static IEnumerable<string> Ids(IEnumerable<MailboxInfo> infos) => infos.Select(info => info.Id!.Value.Value).Order(StringComparer.Ordinal);

    private async ValueTask<UserMailStore> OpenAsync() => new(await _server.MustOpenAsync(Account("ann")), _server, address => Account(address.LocalPart), new SharingOptions());

    [Fact]
    public async Task Each_mailbox_is_the_one_that_was_meant()
    {
        await using UserMailStore store = await OpenAsync();
        Dictionary<string, MailboxInfo> inboxes = (await store.ListAsync(Cancel)).Where(info => info.Name.IsInbox || info.Owner is not null).ToDictionary(info => info.Owner?.LocalPart ?? "ann");
        Assert.Equal(["ann", "bob", "cid"], inboxes.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(3, inboxes.Values.Select(info => info.Id).Distinct().Count());
        foreach ((string name, MailboxInfo info) in inboxes)
        {
            MailboxId id = info.Id!.Value;
            await using IMailbox box = Must(await store.OpenMailboxAsync(info.Name, readOnly: false, Cancel));
            Assert.Equal(id, box.Info.Id);
            Assert.Equal(id, Must(await store.StatusAsync(info.Name, Cancel)).Info.Id);
            Assert.Equal((info.Name, info.Owner), ((await store.FindAsync(id, Cancel))!.Name, (await store.FindAsync(id, Cancel))!.Owner));
            Assert.Equal(Text(name), await store.ContentAsync(id, new(1)));
            Must(await store.ChangeFlagsAsync(id, Uids(1), new(FlagOperation.Add, SystemFlags.None, Keywords("of-" + name)), null, Cancel));
            Assert.Equal(Keywords("of-" + name), box.Current[0].Keywords);
            Must(await store.AnnotateAsync(id, [new(null, "", "/shared/comment", System.Text.Encoding.UTF8.GetBytes(name))], 10, Cancel));
            Assert.Equal(name, System.Text.Encoding.UTF8.GetString(Assert.Single(await store.AnnotationsAsync(id, Cancel)).Value!.Value.Span));
            Placement copied = Must(await store.CopyAsync(id, Uids(1), info.Name, Cancel));
            Assert.Equal(id, copied.Target);
            Assert.Equal(Text(name), await store.ContentAsync(id, copied.Targets[0]));
            Must(await store.ChangeFlagsAsync(id, copied.Targets, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
            Assert.Equal(copied.Targets, Must(await store.ExpungeAsync(id, null, Cancel)));
            Assert.Equal(copied.Targets, await store.ExpungedUidsAsync(id, new(0)));
        }

        // The same in another session.
        await using UserMailStore other = await OpenAsync();
        Assert.Equal(Ids(inboxes.Values), Ids((await other.ListAsync(Cancel)).Where(info => info.Name.IsInbox || info.Owner is not null)));
    }

    // A client that caches by MAILBOXID must find the same mailbox in its next session (RFC 8474 section 4).
    [Fact]
    public async Task Their_ids_do_not_depend_on_who_is_looked_at_first()
    {
        Dictionary<string, MailboxId> ids = [];
        foreach (string order in (string[])["bob cid", "cid bob", "cid", "bob"])
        {
            await using UserMailStore store = await OpenAsync();
            foreach (string name in order.Split(' '))
            {
                MailboxId id = Must(await store.StatusAsync(Name($"Other Users.{name}@example^org.INBOX"), Cancel)).Info.Id!.Value;
                Assert.True(ids.TryAdd(name, id) || ids[name] == id);
                Assert.Equal(Text(name), await store.ContentAsync(id, new(1)));
            }
        }

        await using IMailStore bobs = await _server.MustOpenAsync(Account("bob"));
        Must(await bobs.ShareAsync((await bobs.FindAsync(MailboxName.Inbox, Cancel))!.Id!.Value, "ann@example.org", null, Cancel));
        await using UserMailStore last = await OpenAsync();
        Assert.Equal(ids["cid"], (await last.ListAsync(Cancel)).Single(info => info.Owner is not null).Id);
        Assert.Equal(2, ids.Values.Distinct().Count());
    }

    [Fact]
    public async Task Messages_go_between_them()
    {
        await using UserMailStore store = await OpenAsync();
        MailboxInfo bobs = (await store.ListAsync(Cancel)).Single(info => info.Owner?.LocalPart == "bob");
        MailboxId own = (await store.FindAsync(MailboxName.Inbox, Cancel))!.Id!.Value;
        Placement moved = Must(await store.MoveAsync(bobs.Id!.Value, Uids(1), MailboxName.Inbox, Cancel));
        Assert.Equal((own, new Uid(2)), (moved.Target, moved.Targets[0]));
        Assert.Equal(Text("bob"), await store.ContentAsync(own, new(2)));
        Assert.Equal(bobs.Id, Must(await store.CopyAsync(own, Uids(1), bobs.Name, Cancel)).Target);
        Assert.Equal(Text("ann"), await store.ContentAsync(bobs.Id.Value, new(2)));
        AppendReceipt receipt = await store.MustAppendAsync(_server, bobs.Name.Value, Text("three"));
        Assert.Equal((bobs.Id.Value, bobs.Id.Value, new Uid(3)), (receipt.Mailbox, receipt.Messages[0].Mailbox, receipt.Messages[0].Uid));
        Assert.Equal(Text("three"), await store.ContentAsync(bobs.Id.Value, new(3)));
    }
}
