using Posthorn.Core;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>What scripts send on, refuse and answer.</summary>
public sealed class SendingTests
{
    private const string Hello = "From: eve@example.net\nTo: ann@example.org\nSubject: hello\nMessage-ID: <1@example.net>\n\nText\n";

    [Fact]
    public async Task A_redirect_leaves_unchanged_behind_a_trace_under_its_sender()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """redirect "far@example.com";""");
        Assert.True((await rig.SendAsync(Hello)).Overall.IsPositive);
        Assert.Empty(await rig.MailAsync());
        QueueEntry entry = Assert.Single(rig.Queued);
        Assert.Equal("eve@example.net", entry.Message.From.ToString());
        EnvelopeRecipient to = Assert.Single(entry.Message.Recipients);
        Assert.Equal(("far@example.com", true), (to.Address.ToString(), to.IsForwarded)); // and so is rewritten on its way out
        string content = rig.Rig.ContentOf(entry);
        Assert.StartsWith("Delivered-To: ann@example.org\r\nReceived: ", content, StringComparison.Ordinal);
        Assert.EndsWith(Hello.ReplaceLineEndings("\r\n"), content, StringComparison.Ordinal);
        Assert.Equal(content.Length, entry.Message.Size);
    }

    [Fact]
    public async Task What_comes_back_is_refused()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """redirect "far@example.com";""");
        await rig.SendAsync(Hello);
        AcceptOutcome back = await rig.SendAsync(rig.Rig.ContentOf(rig.Queued[0]));
        Assert.Equal((554, "5.4.6"), (back.Overall.Code, back.Overall.Status));
        Assert.Single(rig.Queued);
    }

    [Fact]
    public async Task Redirects_within_the_house_run_the_other_script_and_a_circle_keeps_the_message()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """redirect "bob@example.org";""");
        await rig.ScriptAsync(rig.Bob, """require "fileinto"; fileinto "Archive";""");
        await rig.SendAsync(Hello);
        Assert.Single(await rig.Rig.MailAsync(rig.Bob, "Archive"));
        Assert.Empty(rig.Queued);
        await rig.ScriptAsync(rig.Bob, """redirect "ann@example.org";""");
        Assert.True((await rig.SendAsync(Hello)).Overall.IsPositive);
        Assert.Single(await rig.MailAsync());
        await rig.ScriptAsync(rig.Ann, """redirect "ann@example.org";""");
        await rig.SendAsync(Hello);
        Assert.Equal(2, (await rig.MailAsync()).Count);
    }

    [Fact]
    public async Task An_edited_copy_is_sent_on_as_edited_with_the_wishes_of_the_script()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """
            require ["editheader", "copy", "redirect-dsn"];
            addheader "X-Via" "ann";
            redirect :copy :notify "FAILURE,DELAY" :ret "HDRS" "far@example.com";
            """);
        await rig.SendAsync(Hello);
        Assert.Single(await rig.MailAsync());
        QueueEntry entry = Assert.Single(rig.Queued);
        Assert.StartsWith("Delivered-To: ann@example.org\r\nX-Via: ann\r\nReceived: ", rig.Rig.ContentOf(entry), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nText\r\n", rig.Rig.ContentOf(entry), StringComparison.Ordinal);
        Assert.Equal((DsnNotify.Failure | DsnNotify.Delay, DsnReturn.Headers), (entry.Message.Recipients[0].Notify, entry.Message.Return));
        Assert.Equal("ann@example.org", entry.Message.From.ToString()); // who asks for reports gets them
    }

    [Fact]
    public async Task More_redirects_than_the_limit_are_an_error_that_keeps_the_message()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, string.Concat(Enumerable.Range(0, 5).Select(i => $"redirect \"far{i}@example.com\";\n")));
        await rig.SendAsync(Hello);
        Assert.Empty(rig.Queued);
        Assert.Single(await rig.MailAsync());
        Assert.Contains("the number of redirect actions exceeds policy limit: 4", rig.OwnerLog, StringComparison.Ordinal);
    }

    // What submission refuses (553, MaySendAs) a script must not write either: such mail is signed as all mail of the domain.
    [Theory]
    [InlineData("bob@example.org", "ann@example.org")]
    [InlineData("Boss <bob@example.org>", "ann@example.org")]
    [InlineData("ceo@elsewhere.example", "ann@example.org")]
    [InlineData("Ann at work <ann+x@example.org>", "ann+x@example.org")]
    [InlineData("team@example.org", "team@example.org")]
    public async Task From_in_a_notification_and_an_answer_is_an_address_of_the_owner(string from, string counts)
    {
        using SieveRig rig = new();
        rig.Rig.Directory.AddAlias("team@example.org", "ann@example.org");
        await rig.ScriptAsync(rig.Ann, $"""
            require ["enotify", "vacation"];
            notify :from "{from}" :message "Payment" "mailto:victim@example.com?body=Please%20pay";
            vacation :from "{from}" "Gone";
            """);
        await rig.SendAsync(Hello);
        Assert.Equal(2, rig.Queued.Count);
        foreach (QueueEntry entry in rig.Queued)
        {
            string author = rig.Rig.ContentOf(entry).Split("\r\n").Single(line => line.StartsWith("From:", StringComparison.Ordinal));
            Assert.Contains(counts, author, StringComparison.Ordinal);
            if (!from.Contains(counts, StringComparison.Ordinal)) Assert.DoesNotContain(from, author, StringComparison.Ordinal);
            Assert.DoesNotContain(from.Contains(counts, StringComparison.Ordinal) ? "nobody" : from.Split('<')[^1].TrimEnd('>'), entry.Message.From.ToString(), StringComparison.Ordinal);
        }
        if (!from.Contains(counts, StringComparison.Ordinal)) Assert.Contains("ann@example.org may not send as", rig.OwnerLog, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bob@example.org", "ann@example.org")]
    [InlineData("team@example.org", "team@example.org")]
    public async Task Addresses_of_an_answer_make_nobody_of_the_owner_who_he_is_not(string named, string counts)
    {
        using SieveRig rig = new();
        rig.Rig.Directory.AddAlias("team@example.org", "ann@example.org");
        await rig.ScriptAsync(rig.Ann, $"""require "vacation"; vacation :addresses "{named}" "Gone";""");
        await rig.SendAsync(Hello.Replace("ann@example.org", named));
        Assert.Contains($"\r\nFrom: <{counts}>\r\n", rig.Rig.ContentOf(Assert.Single(rig.Queued)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rejection_is_the_reply()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, "require \"reject\"; reject \"No more,\r\nplease\";");
        AcceptOutcome outcome = await rig.SendAsync(Hello);
        Assert.Equal(new(550, "5.7.1", "No more,\nplease"), outcome.Overall);
        Assert.Empty(await rig.MailAsync());
        Assert.Empty(rig.Queued);
        Assert.Equal(550, (await rig.SendAsync(TransportRig.Stranger, "", Hello)).Overall.Code); // the null path too
    }

    [Fact]
    public async Task By_LMTP_each_recipient_has_its_own()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require "ereject"; ereject "Not here";""");
        AcceptOutcome outcome = await rig.SendAsync(TransportRig.Lmtp, "eve@example.net", Hello, "ann@example.org", "bob@example.org");
        Assert.Equal("550 5.7.1 Not here", outcome.Recipients[0].ToString());
        Assert.True(outcome.Recipients[1].IsPositive);
        Assert.Empty(rig.Queued);
        Assert.Single(await rig.Rig.MailAsync(rig.Bob));
    }

    [Fact]
    public async Task By_SMTP_a_rejection_among_others_becomes_a_notice_and_ereject_a_bounce()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require "reject"; reject "Not me";""");
        Assert.True((await rig.SendAsync(Hello, "ann@example.org", "bob@example.org")).Overall.IsPositive);
        QueueEntry notice = Assert.Single(rig.Queued);
        Assert.True(notice.Message.From.IsNull);
        Assert.Equal("eve@example.net", notice.Message.Recipients[0].Address.ToString());
        string text = rig.Rig.ContentOf(notice);
        Assert.Contains("message/disposition-notification", text, StringComparison.Ordinal);
        Assert.Contains("Not me", text, StringComparison.Ordinal);
        Assert.Single(await rig.Rig.MailAsync(rig.Bob)); // and nothing of the notice in it
        Assert.EndsWith("\r\n\r\nText\r\n", (await rig.Rig.MailAsync(rig.Bob))[0], StringComparison.Ordinal);

        await rig.ScriptAsync(rig.Ann, """require "ereject"; ereject "Not me";""");
        await rig.SendAsync(Hello, "ann@example.org", "bob@example.org");
        string bounce = rig.Rig.ContentOf(rig.Queued[^1]);
        Assert.Contains("message/delivery-status", bounce, StringComparison.Ordinal);
        Assert.Contains("550 5.7.1 Not me", bounce, StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_all_reject_the_reply_says_so()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require "reject"; reject "Not me";""");
        await rig.ScriptAsync(rig.Bob, """require "reject"; reject "Nor me";""");
        Assert.Equal("550 5.7.1 Not me", (await rig.SendAsync(Hello, "ann@example.org", "bob@example.org")).Overall.ToString());
        Assert.Empty(rig.Queued);
    }

    [Fact]
    public async Task What_a_reply_cannot_say_reject_says_in_a_notice_and_ereject_in_general_words()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require "reject"; reject "Bitte nicht stören";""");
        Assert.True((await rig.SendAsync(Hello)).Overall.IsPositive);
        Assert.Contains("disposition-notification", rig.Rig.ContentOf(Assert.Single(rig.Queued)), StringComparison.Ordinal);
        Assert.True((await rig.SendAsync(TransportRig.Stranger, "", Hello)).Overall.IsPositive);
        Assert.Single(rig.Queued); // nobody to tell
        await rig.ScriptAsync(rig.Ann, """require "ereject"; ereject "Bitte nicht stören";""");
        Assert.Equal((550, "The recipient's mail filter refuses this message"), ((await rig.SendAsync(Hello)).Overall.Code, (await rig.SendAsync(Hello)).Overall.Text));
    }

    [Fact]
    public async Task Vacation_answers_a_sender_once_in_its_period()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require "vacation"; vacation :days 3 :subject "Away" "Back on Monday.";""");
        await rig.SendAsync(Hello);
        Assert.Single(await rig.MailAsync()); // and the message is kept
        QueueEntry reply = Assert.Single(rig.Queued);
        Assert.True(reply.Message.From.IsNull);
        Assert.Equal(("eve@example.net", DsnNotify.Never), (reply.Message.Recipients[0].Address.ToString(), reply.Message.Recipients[0].Notify));
        string text = rig.Rig.ContentOf(reply);
        Assert.Contains("Auto-Submitted: auto-replied (vacation)\r\n", text, StringComparison.Ordinal);
        Assert.Contains("In-Reply-To: <1@example.net>\r\n", text, StringComparison.Ordinal);
        Assert.EndsWith("Back on Monday.\r\n", text, StringComparison.Ordinal);
        await rig.SendAsync(Hello);
        Assert.Single(rig.Queued);
        await rig.SendAsync(TransportRig.Stranger, "other@example.net", Hello);
        Assert.Equal(2, rig.Queued.Count);
        rig.Rig.Time.Advance(TimeSpan.FromDays(4));
        await rig.SendAsync(Hello);
        Assert.Equal(3, rig.Queued.Count);
    }

    [Theory]
    [InlineData("", Hello)]
    [InlineData("eve@example.net", "List-Id: <x.example.net>\n" + Hello)]
    [InlineData("eve@example.net", "Auto-Submitted: auto-generated\n" + Hello)]
    [InlineData("eve@example.net", "Precedence: bulk\n" + Hello)]
    [InlineData("owner-list@example.net", Hello)]
    [InlineData("ann@example.org", Hello)]
    [InlineData("eve@example.net", "From: eve@example.net\nTo: everybody@example.net\n\nText\n")]
    public async Task Vacation_leaves_these_without_an_answer(string from, string message)
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require "vacation"; vacation "Away.";""");
        await rig.SendAsync(TransportRig.Stranger, from, message);
        Assert.Empty(rig.Queued);
        Assert.Single(await rig.MailAsync());
    }

    [Fact]
    public async Task Two_messages_at_once_get_one_answer_and_one_of_two_duplicates_stays()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require ["vacation", "duplicate"]; if duplicate { discard; stop; } vacation "Away.";""");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => rig.SendAsync(Hello))));
        Assert.Single(rig.Queued);
        Assert.Single(await rig.MailAsync());
    }

    [Fact]
    public async Task A_duplicate_is_known_by_its_id_until_its_time_is_over()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require ["duplicate", "fileinto"]; if duplicate :handle "h" :seconds 3600 { fileinto "Junk"; }""");
        await rig.SendAsync(Hello);
        await rig.SendAsync(Hello);
        await rig.SendAsync(Hello.Replace("<1@", "<2@", StringComparison.Ordinal));
        Assert.Equal((2, 1), ((await rig.MailAsync()).Count, (await rig.MailAsync("Junk")).Count));
        rig.Rig.Time.Advance(TimeSpan.FromHours(2));
        await rig.SendAsync(Hello);
        Assert.Equal((3, 1), ((await rig.MailAsync()).Count, (await rig.MailAsync("Junk")).Count));
    }

    [Fact]
    public async Task What_could_not_be_stored_is_no_duplicate_when_it_comes_again()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require "duplicate"; if duplicate { discard; }""");
        rig.Rig.Stores.Failure = new IOException("full");
        Assert.Equal(451, (await rig.SendAsync(Hello)).Overall.Code);
        rig.Rig.Stores.Failure = null;
        Assert.True((await rig.SendAsync(Hello)).Overall.IsPositive);
        Assert.Single(await rig.MailAsync());
    }

    [Fact]
    public async Task A_reply_keeps_a_copy_where_the_script_wants_it()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require ["vacation", "fcc"]; vacation :fcc "Sent" "Away.";""");
        await rig.SendAsync(Hello);
        Assert.Equal(rig.Rig.ContentOf(Assert.Single(rig.Queued)), Assert.Single(await rig.MailAsync("Sent")));
        Assert.EndsWith("\r\n\r\nText\r\n", Assert.Single(await rig.MailAsync()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_notification_goes_out()
    {
        using SieveRig rig = new();
        await rig.ScriptAsync(rig.Ann, """require "enotify"; notify :message "You have mail" "mailto:pager@example.com";""");
        await rig.SendAsync(Hello);
        QueueEntry entry = Assert.Single(rig.Queued);
        Assert.Equal("pager@example.com", entry.Message.Recipients[0].Address.ToString());
        Assert.Contains("Subject: You have mail", rig.Rig.ContentOf(entry), StringComparison.Ordinal);
        Assert.Contains("Auto-Submitted: auto-notified", rig.Rig.ContentOf(entry), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_queue_keeps_mail_and_says_nothing()
    {
        using SieveRig rig = new(transport: FullQueue);
        await rig.ScriptAsync(rig.Ann, """require ["copy", "vacation"]; vacation "Away."; keep;""");
        Assert.True((await rig.SendAsync(Hello)).Overall.IsPositive);
        Assert.Single(await rig.MailAsync());
        Assert.Empty(rig.Queued);
    }

    /// <summary>The copy is not stored either: the client sends the message again, and it must not come twice.</summary>
    [Theory]
    [InlineData("redirect :copy \"far@example.com\";")]
    [InlineData("addheader \"X-Seen\" \"yes\"; redirect \"far@example.com\"; keep;")]
    public async Task A_full_queue_refuses_redirects(string what)
    {
        using SieveRig rig = new(transport: FullQueue);
        await rig.ScriptAsync(rig.Ann, "require [\"copy\", \"editheader\"]; " + what);
        Assert.Equal("452 4.3.1", (await rig.SendAsync(Hello)).Overall.ToString()[..9]);
        Assert.Empty(await rig.MailAsync());
        Assert.Empty(rig.Queued);
    }

    private static TransportOptions FullQueue => new() { Hostname = "mail.example.org", Queue = new() { MaxMessages = 0 } };

    [Fact]
    public async Task A_note_of_a_reply_has_the_id_that_Pigeonhole_gives_it()
    {
        using SieveRig rig = new();
        // md5("eve@example.net" "Away.<default-subject><default-from><NO-MIME>")
        byte[] id = Convert.FromHexString(Md5Of("eve@example.netAway.<default-subject><default-from><NO-MIME>"));
        await using (Store.IMessageSink sink = rig.Rig.Stores.CreateSink())
            await rig.Rig.Stores.DeliverAsync(sink, new Store.DeliveryOrder { Notes = [new(rig.Ann, id, rig.Rig.Time.GetUtcNow().AddDays(1))] }, default);
        await rig.ScriptAsync(rig.Ann, """require "vacation"; vacation "Away.";""");
        await rig.SendAsync(TransportRig.Stranger, "Eve@Example.net", Hello);
        Assert.Empty(rig.Queued); // Dovecot has answered
    }

#pragma warning disable CA5351 // Dovecot's own.
    private static string Md5Of(string text) => Convert.ToHexString(System.Security.Cryptography.MD5.HashData(System.Text.Encoding.UTF8.GetBytes(text)));
#pragma warning restore CA5351
}
