using MailKit;
using MailKit.Net.Imap;
using MailKit.Net.Smtp;
using MailKit.Search;
using MimeKit;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>MailKit: a round trip through most of IMAP, and news by IDLE.</summary>
public sealed class MailKitTests
{
    [Fact]
    public async Task Files_flags_searches_and_moves()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        using ImapClient client = await Mail.ImapAsync(server, ann);
        IMailFolder root = client.GetFolder(client.PersonalNamespaces[0]);
        IMailFolder work = (await root.CreateAsync("Arbeit Ä", true))!;
        Assert.NotNull(client.GetFolder(SpecialFolder.Sent));
        Assert.NotNull(client.GetFolder(SpecialFolder.Trash));

        List<UniqueId> uids = [];
        for (int i = 0; i < 10; i++)
            uids.Add((await work.AppendAsync(new AppendRequest(Mail.Compose(ann, "x@elsewhere.example", $"number {i}", $"text of {i}"), i % 2 == 0 ? MessageFlags.Seen : MessageFlags.None)))!.Value);
        await work.OpenAsync(FolderAccess.ReadWrite);
        Assert.Equal(10, work.Count);
        Assert.Equal(uids, await work.SearchAsync(SearchQuery.All));
        Assert.Equal([uids[7]], await work.SearchAsync(SearchQuery.SubjectContains("NUMBER 7")));
        Assert.Equal([uids[3]], await work.SearchAsync(SearchQuery.BodyContains("text of 3")));
        Assert.Equal(5, (await work.SearchAsync(SearchQuery.NotSeen)).Count);

        await work.StoreAsync(uids[0], new StoreFlagsRequest(StoreAction.Add, MessageFlags.Flagged) { Keywords = { "$Work" } });
        IMessageSummary first = (await work.FetchAsync([uids[0]], MessageSummaryItems.All | MessageSummaryItems.BodyStructure))[0];
        Assert.True(first.Flags!.Value.HasFlag(MessageFlags.Flagged));
        Assert.Contains("$Work", first.Keywords);
        Assert.Equal("text of 0", ((TextPart)await work.GetBodyPartAsync(uids[0], first.TextBody!)).Text.TrimEnd());

        UniqueIdMap moved = await work.MoveToAsync([uids[1], uids[2]], client.GetFolder(SpecialFolder.Archive)!);
        Assert.Equal(2, moved.Count);
        Assert.Equal(8, work.Count);
        await work.StoreAsync(uids[9], new StoreFlagsRequest(StoreAction.Add, MessageFlags.Deleted));
        await work.ExpungeAsync([uids[9]]);
        Assert.Equal(7, work.Count);

        await work.CloseAsync();
        await work.RenameAsync(root, "Work");
        await work.DeleteAsync();
        await client.DisconnectAsync(true);
    }

    [Fact]
    public async Task Idle_hears_of_a_delivery()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"], bob = server["bob"];
        using ImapClient client = await Mail.ImapAsync(server, bob);
        await client.Inbox.OpenAsync(FolderAccess.ReadOnly);
        int before = client.Inbox.Count;
        using CancellationTokenSource done = new(TimeSpan.FromSeconds(60));
        client.Inbox.CountChanged += (_, _) => done.Cancel();
        Task idle = client.IdleAsync(done.Token);
        using (SmtpClient smtp = await Mail.SubmissionAsync(server, ann))
        {
            await smtp.SendAsync(Mail.Compose(ann, bob.Address, "news", "now"));
            await smtp.DisconnectAsync(true);
        }
        await idle;
        Assert.Equal(before + 1, client.Inbox.Count);
        await client.DisconnectAsync(true);
    }

    [Fact]
    public async Task A_client_that_sends_and_files_its_copy_has_it_once()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        MimeMessage message = Mail.Compose(ann, server["bob"].Address, "sent once", "text");
        using (SmtpClient sender = await Mail.SubmissionAsync(server, ann))
        {
            await sender.SendAsync(message);
            await sender.DisconnectAsync(true);
        }

        await Mail.WaitForAsync(server, server["bob"], 2); // the welcome is there before
        Assert.Empty(await Mail.ReadAllAsync(server, ann, "Sent")); // trap 41: nothing is filed behind the client's back
        using ImapClient client = await Mail.ImapAsync(server, ann);
        await client.GetFolder(SpecialFolder.Sent)!.AppendAsync(new AppendRequest(message, MessageFlags.Seen));
        Assert.Single(await Mail.ReadAllAsync(server, ann, "Sent"));
    }

    [Fact]
    public async Task A_sender_that_is_not_ones_own_is_refused()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"], bob = server["bob"];
        using SmtpClient smtp = await Mail.SubmissionAsync(server, ann);
        MimeMessage forged = Mail.Compose(bob, ann.Address, "forged", "not mine");
        SmtpCommandException refused = await Assert.ThrowsAsync<SmtpCommandException>(() => smtp.SendAsync(forged));
        Assert.Equal(553, (int)refused.StatusCode);
    }
}
