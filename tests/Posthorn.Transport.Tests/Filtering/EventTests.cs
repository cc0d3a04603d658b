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

    private static SieveRig Rig(string script, Func<ImapScriptRule, ImapScriptRule>? change = null) => new(rig =>
    {
        ImapScriptRule rule = new(rig.Write("events.sieve", script), "*", "*", []);
        return SieveRig.Plain with { ImapRules = [change?.Invoke(rule) ?? rule] };
    });

    private static async Task<IMailStore> OpenAsync(SieveRig rig) =>
        (await new EventStores(rig.Rig.Stores, rig.Services, () => rig.Options).OpenAsync(rig.Ann, default)).Value;

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
