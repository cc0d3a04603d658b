using System.Text;
using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Store;
using Posthorn.Transport.Filtering;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>Scripts that run when IMAP appends, copies, moves or flags (RFC 6785).</summary>
public sealed class EventTests
{
    [Fact]
    public async Task Each_cause_runs_the_scripts_that_fit_it()
    {
        using SieveRig rig = Rig("""
            require ["imapsieve", "environment", "imap4flags", "variables"];
            if environment :matches "imap.cause" "*" { set :lower "cause" "${1}"; }
            if environment :matches "imap.mailbox" "*" { set :lower "box" "${1}"; }
            if environment :matches "imap.changedflags" "*" { set "flags" "${1}"; }
            if string :is "${cause}" "flag" { if not hasflag "told" { addflag ["told", "flag-${flags}"]; keep; } }
            else { addflag "${cause}-${box}"; keep; }
            """);
        await using IMailStore store = await OpenAsync(rig);
        AppendReceipt appended = await AppendAsync(rig, store, "INBOX");
        Assert.Equal("append-inbox", await KeywordsAsync(store, "INBOX"));
        await store.CopyAsync(appended.Mailbox, [appended.Messages[0].Uid], Name("Junk"), default);
        Assert.Equal("append-inbox copy-junk", await KeywordsAsync(store, "Junk"));
        await store.MoveAsync(appended.Mailbox, [appended.Messages[0].Uid], Name("Archive"), default);
        Assert.Equal("append-inbox copy-archive", await KeywordsAsync(store, "Archive"));
        AppendReceipt other = await AppendAsync(rig, store, "INBOX");
        await store.ChangeFlagsAsync(other.Mailbox, [other.Messages[0].Uid], new(FlagOperation.Add, SystemFlags.None, KeywordSet.Of(Word("x"))), null, default);
        Assert.Equal("append-inbox flag-x told x", await KeywordsAsync(store, "INBOX"));
    }

    // RFC 8508 section 4.4: nothing is flagged on the way.
    [Fact]
    public async Task A_replacement_is_an_append_to_scripts()
    {
        using SieveRig rig = Rig("""
            require ["imapsieve", "environment", "imap4flags", "variables"];
            if environment :matches "imap.cause" "*" { set :lower "cause" "${1}"; }
            if environment :matches "imap.mailbox" "*" { set :lower "box" "${1}"; }
            addflag "${cause}-${box}"; keep;
            """);
        await using IMailStore store = await OpenAsync(rig);
        AppendReceipt first = await AppendAsync(rig, store, "INBOX");
        await using IMessageSink sink = rig.Rig.Stores.CreateSink();
        await sink.WriteAsync("Subject: new\r\n\r\nText\r\n"u8.ToArray(), default);
        await using EventStores stores = Stores(rig);
        NewMessage message = new(sink, SystemFlags.None, KeywordSet.Empty, rig.Rig.Time.GetUtcNow());
        Assert.True((await stores.ReplaceAsync(new(rig.Ann, first.Mailbox, first.Messages[0].Uid, rig.Ann, Name("Archive"), message), default)).IsOk);
        Assert.Equal("append-archive", await KeywordsAsync(store, "Archive"));
        Assert.Empty(await rig.MailAsync());
    }

    [Fact]
    public async Task A_rule_names_mailboxes_and_causes()
    {
        using SieveRig rig = Rig("""require "imap4flags"; keep :flags "seen-by-script";""", rule => rule with { Mailbox = "Junk", From = "INBOX", Causes = ["COPY"] });
        await using IMailStore store = await OpenAsync(rig);
        AppendReceipt appended = await AppendAsync(rig, store, "INBOX");
        await AppendAsync(rig, store, "Junk");
        await store.CopyAsync(appended.Mailbox, [appended.Messages[0].Uid], Name("Archive"), default);
        Assert.Equal("", await KeywordsAsync(store, "Junk"));
        Assert.Equal("", await KeywordsAsync(store, "Archive"));
        await store.CopyAsync(appended.Mailbox, [appended.Messages[0].Uid], Name("Junk"), default);
        Assert.Equal("seen-by-script", await KeywordsAsync(store, "Junk"));
    }

    [Fact]
    public async Task A_cancelled_keep_removes_the_message_and_fileinto_copies_it()
    {
        using SieveRig rig = Rig("""require ["fileinto", "mailbox"]; if header :is "Subject" "move" { fileinto :create "Moved"; } else { discard; }""");
        await using IMailStore store = await OpenAsync(rig);
        await AppendAsync(rig, store, "INBOX", "move");
        Assert.Single(await rig.MailAsync("Moved"));
        Assert.Empty(await rig.MailAsync());
        await AppendAsync(rig, store, "INBOX", "gone");
        Assert.Empty(await rig.MailAsync());
    }

    [Fact]
    public async Task A_script_that_fails_leaves_the_message_alone()
    {
        using SieveRig rig = Rig("""require ["vacation"]; vacation "Away";""");
        System.IO.Directory.CreateDirectory(rig.Ann.Home);
        await using IMailStore store = await OpenAsync(rig);
        await AppendAsync(rig, store, "INBOX");
        Assert.Single(await rig.MailAsync());
        Assert.Contains("there is nobody to answer", rig.OwnerLog, StringComparison.Ordinal);
        Assert.Empty(rig.Queued);
    }

    [Fact]
    public async Task Redirects_and_notifications_go_out_under_the_owners_address()
    {
        using SieveRig rig = Rig("""require ["imapsieve", "enotify", "copy"]; redirect :copy "far@example.com"; notify :message "Came" "mailto:cell@example.com"; if header "subject" "gone" { redirect "other@example.com"; }""");
        await using IMailStore store = await OpenAsync(rig);
        await AppendAsync(rig, store, "INBOX");
        Assert.Single(await rig.MailAsync());
        Assert.Equal(["cell@example.com", "far@example.com"], rig.Queued.SelectMany(entry => entry.Message.Recipients).Select(to => to.Address.ToString()).Order());
        Assert.Contains(rig.Queued, entry => entry.Message.From.ToString() == "ann@example.org" && rig.Rig.ContentOf(entry).EndsWith("Subject: hello\r\n\r\nText\r\n", StringComparison.Ordinal));
        await AppendAsync(rig, store, "Junk", "gone");
        Assert.Empty(await rig.MailAsync("Junk"));
        Assert.Contains(rig.Queued, entry => entry.Message.Recipients[0].Address.ToString() == "other@example.com");
    }

    [Fact]
    public async Task What_cannot_be_sent_leaves_the_message_where_it_is()
    {
        using SieveRig rig = Rig("""require "imapsieve"; redirect "nobody@example.org";""");
        await using IMailStore store = await OpenAsync(rig);
        System.IO.Directory.CreateDirectory(rig.Ann.Home);
        await AppendAsync(rig, store, "INBOX");
        Assert.Single(await rig.MailAsync());
        Assert.Contains("mail could not be sent to nobody@example.org", rig.OwnerLog, StringComparison.Ordinal);
    }

    // RFC 6785 section 2.3.1.
    [Fact]
    public async Task An_annotation_of_the_mailbox_names_the_script_and_else_one_of_the_server()
    {
        using SieveRig rig = new(_ => SieveRig.Plain with { UserEvents = true, ServerAnnotations = new Dictionary<string, string> { ["/shared/imapsieve/script"] = "all" } });
        await using IMailStore store = await OpenAsync(rig);
        await rig.ScriptAsync(rig.Ann, """require ["imapsieve", "imap4flags"]; keep :flags "by-all";""", "all", activate: false);
        await rig.ScriptAsync(rig.Ann, """require ["imapsieve", "imap4flags"]; keep :flags "by-one";""", "one", activate: false);
        await AnnotateAsync(store, "Junk", "one");
        await AnnotateAsync(store, "Archive", "");
        await AnnotateAsync(store, "Sent", "missing");
        foreach (string box in (string[])["INBOX", "Junk", "Archive", "Sent"]) await AppendAsync(rig, store, box);
        Assert.Equal(("by-all", "by-one", "", ""), (await KeywordsAsync(store, "INBOX"), await KeywordsAsync(store, "Junk"), await KeywordsAsync(store, "Archive"), await KeywordsAsync(store, "Sent")));
        Assert.Contains("the script \"missing\" for IMAP events is not there", rig.OwnerLog, StringComparison.Ordinal);
    }

    private static async Task AnnotateAsync(IMailStore store, string mailbox, string value, string entry = "/shared/imapsieve/script")
    {
        MailboxId id = (await store.FindAsync(Name(mailbox), default))!.Id!.Value;
        string user = entry.StartsWith("/private/", StringComparison.Ordinal) ? "ann@example.org" : "";
        Assert.True((await store.AnnotateAsync(id, [new(id, user, entry, Encoding.UTF8.GetBytes(value))], 100, default)).IsOk);
    }

    // RFC 5490: what IMAP's METADATA has set is what scripts find.
    [Fact]
    public async Task Scripts_find_annotations_of_mailboxes_and_of_the_server()
    {
        using SieveRig rig = new(_ => SieveRig.Plain with { ServerAnnotations = new Dictionary<string, string> { ["/shared/comment"] = "be kind" } });
        await using IMailStore store = await OpenAsync(rig);
        await AnnotateAsync(store, "Archive", "on", "/private/vendor/x/away");
        await AnnotateAsync(store, "Archive", "2", "/shared/vendor/x/level");
        Assert.True((await store.AnnotateAsync(null, [new(null, "ann@example.org", "/private/note", "mine"u8.ToArray())], 100, default)).IsOk);
        await rig.ScriptAsync(rig.Ann, """
            require ["mboxmetadata", "servermetadata", "relational", "comparator-i;ascii-numeric"];
            if allof (
                metadata :is "Archive" "/private/vendor/x/AWAY" "on",
                metadata :value "ge" :comparator "i;ascii-numeric" "Archive" "/shared/vendor/x/level" "2",
                metadataexists "Archive" ["/private/vendor/x/away", "/shared/vendor/x/level", "/private/specialuse"],
                not metadataexists "INBOX" "/private/vendor/x/away",
                not metadataexists "Nowhere" "/private/vendor/x/away",
                servermetadata :contains "/shared/comment" "kind",
                servermetadata :is "/private/note" "mine",
                not servermetadataexists "/shared/admin") { discard; }
            """);
        await rig.SendAsync("Subject: x\n\nx\n");
        Assert.Empty(await rig.MailAsync());
    }

    private static SieveRig Rig(string script, Func<ImapScriptRule, ImapScriptRule>? change = null) => new(rig =>
    {
        ImapScriptRule rule = new(rig.Write("events.sieve", script), "*", "*", []);
        return SieveRig.Plain with { ImapRules = [change?.Invoke(rule) ?? rule] };
    });

    private static EventStores Stores(SieveRig rig) => new(rig.Rig.Stores, rig.Services, rig.Rig.Transport, () => rig.Options);

    private static async Task<IMailStore> OpenAsync(SieveRig rig) => (await Stores(rig).OpenAsync(rig.Ann, default)).Value;

    private static async Task<AppendReceipt> AppendAsync(SieveRig rig, IMailStore store, string mailbox, string subject = "hello")
    {
        await using IMessageSink sink = rig.Rig.Stores.CreateSink();
        await sink.WriteAsync(Encoding.ASCII.GetBytes($"Subject: {subject}\r\n\r\nText\r\n"), default);
        return (await store.AppendAsync(Name(mailbox), [new(sink, SystemFlags.None, KeywordSet.Empty, rig.Rig.Time.GetUtcNow())], default)).Value;
    }

    private static async Task<string> KeywordsAsync(IMailStore store, string mailbox)
    {
        await using IMailbox box = (await store.OpenMailboxAsync(Name(mailbox), true, default)).Value;
        return string.Join(' ', box.Current[^1].Keywords.Select(keyword => keyword.Name).Order(StringComparer.Ordinal));
    }

    private static MailboxName Name(string text)
    {
        Assert.True(MailboxName.TryCreate(text, '.', out MailboxName name));
        return name;
    }

    private static Keyword Word(string text)
    {
        Assert.True(Keyword.TryCreate(text, out Keyword keyword));
        return keyword;
    }
}
