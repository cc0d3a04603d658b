using System.Text;
using Posthorn.Testing;
using Posthorn.Transport.Milter;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Tests.Milter;

/// <summary>What filters hear, and what becomes of what they want.</summary>
public sealed class MilterTests
{
    public static TheoryData<ReadSplit> Splits => [ReadSplit.Whole, ReadSplit.Bytes, ReadSplit.Random(7)];

    [Theory]
    [MemberData(nameof(Splits))]
    public async Task A_filter_hears_all_of_a_session(ReadSplit split)
    {
        ScriptedMilter filter = new() { Pieces = split };
        await using MilterRig rig = new(null, filter);
        Assert.Null(await rig.OpenAsync());
        Assert.Equal(250, (await rig.SendAsync(to: "ann@example.org bob@example.org")).Code);
        await rig.Policy.UnknownAsync("FOO bar"u8.ToArray(), default);
        await rig.EndAsync();
        Assert.Equal([
            "O 6 1ff 1fffff", "C client.example.net|4|2525|198.51.100.7", "H client.example.net", "M <eve@example.net>", "R <ann@example.org>", "R <bob@example.org>", "T",
            "L From|eve@example.net", "L Subject|one\n folded", "L X-Old|a", "L X-Old|b", "N", "B text\r\nmore\r\n", "E", "U FOO bar", "K"], filter.Heard);
        Assert.Equal(MilterRig.Mail, await rig.OnlyAsync());
    }

    [Theory]
    [MemberData(nameof(Splits))]
    public async Task A_filter_may_change_everything(ReadSplit split)
    {
        ScriptedMilter filter = new() { Pieces = split };
        filter.At('E', new MilterAct.Say(
            ('p', []), ('h', ScriptedMilter.Texts("X-New", "one\n two")), ('i', ScriptedMilter.Indexed(0, "X-Top", "top")), ('i', ScriptedMilter.Indexed(3, "X-Third", "third")),
            ('m', ScriptedMilter.Indexed(2, "x-old", "changed")), ('m', ScriptedMilter.Indexed(1, "Subject", "")), ('m', ScriptedMilter.Indexed(1, "X-Absent", "made")), ('m', ScriptedMilter.Indexed(4, "X-Old", "")),
            ('e', ScriptedMilter.Texts("<new@example.net>", "RET=HDRS")), ('+', ScriptedMilter.Texts("<bob@example.org>")), ('-', ScriptedMilter.Texts("<ann@example.org>")),
            ('2', ScriptedMilter.Texts("<far@example.net>", "NOTIFY=NEVER ORCPT=rfc822;x@example.net")), ('b', "new "u8.ToArray()), ('p', []), ('b', "body\r\n"u8.ToArray()), ('c', [])));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Equal("X-Top: top\nFrom: eve@example.net\nX-Third: third\nX-Old: a\nx-old: changed\nX-New: one\n two\nX-Absent: made\n\nnew body\n", await rig.OnlyAsync(rig.Rig.Bob));
        Assert.StartsWith("Return-Path: <new@example.net>", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob)), StringComparison.Ordinal);
        EnvelopeRecipient far = Assert.Single(Assert.Single(rig.Rig.Queued).Message.Recipients);
        Assert.Equal(("far@example.net", DsnNotify.Never, "rfc822;x@example.net"), (far.Address.ToString(), far.Notify, far.OriginalRecipient));
    }

    [Fact]
    public async Task Each_filter_sees_what_the_one_before_it_made()
    {
        ScriptedMilter first = new(), second = new();
        first.At('E', new MilterAct.Say(('h', ScriptedMilter.Texts("X-First", "1")), ('m', ScriptedMilter.Indexed(1, "Subject", "two")), ('b', "other\r\n"u8.ToArray()), ('e', ScriptedMilter.Texts("<first@example.net>")), ('c', [])));
        second.At('E', new MilterAct.Say(('m', ScriptedMilter.Indexed(1, "X-First", "2")), ('c', [])));
        await using MilterRig rig = new(null, first, second);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Equal(["L From|eve@example.net", "L Subject|two", "L X-Old|a", "L X-Old|b", "L X-First|1", "N", "B other\r\n", "E"], second.Heard.SkipWhile(word => word[0] != 'L').TakeWhile(word => word != "K"));
        Assert.Equal("From: eve@example.net\nSubject: two\nX-Old: a\nX-Old: b\nX-First: 2\n\nother\n", await rig.OnlyAsync());
    }

    [Fact]
    public async Task Without_filters_nothing_is_opened()
    {
        await using MilterRig rig = new(null);
        Assert.Null(rig.Rig.Transport.OpenChecks(rig.Client));
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Equal(0, rig.Dialled);
    }

    [Fact]
    public async Task Other_listeners_do_not_know_the_filter()
    {
        ScriptedMilter filter = new();
        await using MilterRig rig = new(options => options with { Listeners = ["submission"] }, filter);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Equal(0, rig.Dialled);
    }

    [Fact]
    public async Task A_large_message_goes_by_in_chunks()
    {
        ScriptedMilter filter = new();
        await using MilterRig rig = new(null, filter);
        string line = new string('x', 77) + "\n";
        string body = string.Concat(Enumerable.Repeat(line, 2000));
        Assert.Equal(250, (await rig.SendOneAsync("Subject: large\n\n" + body)).Code);
        Assert.Equal(["B 65535 octets", "B 65535 octets", "B 26930 octets"], filter.Heard.Where(word => word[0] == 'B'));
        Assert.EndsWith(body, await rig.OnlyAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData('r', "550 5.7.1 Command rejected")]
    [InlineData('t', "451 4.7.1 Service unavailable - try again later")]
    [InlineData('f', "421 4.7.0 Server closing connection")]
    [InlineData('4', "421 4.7.0 Server closing connection")]
    public async Task A_refusal_at_any_stage_is_told(char answer, string expected)
    {
        foreach (char stage in "CHMRTLNBE")
        {
            ScriptedMilter filter = new();
            filter.At(stage, new MilterAct.Say((answer, [])));
            await using MilterRig rig = new(null, filter);
            Assert.Equal((stage, expected), (stage, (await rig.SendOneAsync()).ToString()));
            Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
            await rig.EndAsync();
            Assert.Equal(stage is 'C' or 'H' or 'E' ? "Q" : "A", filter.Heard.First(word => word is "A" or "K" or "Q"));
        }
    }

    [Theory]
    [InlineData("554 5.7.9 go\r\n", "554 5.7.9 go")]
    [InlineData("450 wait a little", "450 4.7.1 wait a little")]
    [InlineData("550-5.1.2 one\r\n550 5.1.2 two", "550 5.1.2 one\ntwo")]
    [InlineData("550", "550 5.7.1 ")]
    [InlineData("450 5.7.1 classes differ", "450 4.7.1 5.7.1 classes differ")]
    public async Task A_reply_of_its_own_is_told(string said, string expected)
    {
        ScriptedMilter filter = new();
        filter.At('R', new MilterAct.Say(('y', ScriptedMilter.Texts(said))));
        await using MilterRig rig = new(null, filter);
        SmtpReply reply = await rig.SendOneAsync();
        Assert.Equal(expected, $"{reply.Code} {reply.Status} {reply.Text}");
    }

    [Theory]
    [InlineData('M')]
    [InlineData('R')]
    [InlineData('T')]
    [InlineData('L')]
    [InlineData('N')]
    [InlineData('B')]
    [InlineData('E')]
    public async Task Discarded_mail_is_taken_and_gone(char stage)
    {
        ScriptedMilter filter = new();
        filter.At(stage, new MilterAct.Say(('d', [])));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Empty(rig.Rig.Queued);
    }

    [Theory]
    [InlineData('C', 0)]
    [InlineData('H', 0)]
    [InlineData('M', 2)]
    [InlineData('R', 2)]
    [InlineData('L', 2)]
    [InlineData('B', 2)]
    public async Task What_it_accepts_it_hears_no_more_of(char stage, int mails)
    {
        ScriptedMilter filter = new();
        filter.At(stage, new MilterAct.Say(('a', [])));
        await using MilterRig rig = new(null, filter);
        await rig.OpenAsync();
        Assert.Equal(250, (await rig.SendAsync()).Code);
        Assert.Equal(250, (await rig.SendAsync()).Code);
        await rig.CloseAsync();
        Assert.Equal(2, (await rig.Rig.MailAsync(rig.Rig.Ann)).Count);
        Assert.Equal(mails, filter.Heard.Count(word => word[0] == 'M'));
        Assert.DoesNotContain("E", filter.Heard);
    }

    [Fact]
    public async Task Skip_ends_recipients_headers_and_body()
    {
        ScriptedMilter filter = new();
        foreach (char stage in "RLB") filter.At(stage, new MilterAct.Say(('s', [])));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync("A: 1\nB: 2\n\n" + new string('x', 70_000).Insert(35_000, "\n"), to: "ann@example.org bob@example.org")).Code);
        await rig.EndAsync();
        Assert.Equal("O C H M R T L N B E K", string.Join(' ', filter.Heard.Select(word => word[0])));
    }

    [Fact]
    public async Task Quarantined_mail_is_held()
    {
        ScriptedMilter filter = new();
        filter.At('E', new MilterAct.Say(('q', ScriptedMilter.Texts("looks odd")), ('c', [])));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
        QueueEntry held = Assert.Single(rig.Rig.Queued);
        Assert.True(held.IsHeld);
        Assert.Equal("f0: looks odd", held.Message.HoldReason);
    }

    [Fact]
    public async Task Taking_out_all_recipients_throws_the_message_away()
    {
        ScriptedMilter filter = new();
        filter.At('E', new MilterAct.Say(('-', ScriptedMilter.Texts("<ann@example.org>")), ('c', [])));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    [Fact]
    public async Task Changes_of_a_filter_that_then_refuses_or_fails_are_void()
    {
        ScriptedMilter filter = new();
        filter.At('E', new MilterAct.Say(('h', ScriptedMilter.Texts("X-New", "1")), ('b', "other"u8.ToArray()), ('z', [])));
        await using MilterRig rig = new(options => options with { Fallback = MilterFallback.Accept }, filter);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Equal(MilterRig.Mail, await rig.OnlyAsync());
    }

    [Theory]
    [InlineData("v: x\r\n\r\nBody: no", "X: v: x\n\tBody: no\n")]
    [InlineData("a\nb", "X: a\n\tb\n")]
    [InlineData("a\r\n", "X: a\n")]
    [InlineData("a\rb", "X: a\n\tb\n")]
    public async Task No_value_ends_the_header_early(string value, string expected)
    {
        ScriptedMilter filter = new();
        filter.At('E', new MilterAct.Say(('h', ScriptedMilter.Texts("X", value)), ('c', [])));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync("A: 1\n\nx\n")).Code);
        string mail = await rig.OnlyAsync();
        Assert.Equal("A: 1\n" + expected + "\nx\n", mail.Replace("\n\t\n", "\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Blanks_behind_the_colon_are_the_filters_where_it_wants_them()
    {
        ScriptedMilter filter = new() { Steps = 0x100000 };
        filter.At('E', new MilterAct.Say(('h', ScriptedMilter.Texts("X-New", "tight")), ('m', ScriptedMilter.Indexed(1, "A", "  wide")), ('c', [])));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync("A: 1\nB:2\nC:\t3\n\nx\n")).Code);
        Assert.Equal(["L A| 1", "L B|2", "L C|\t3"], filter.Heard.Where(word => word[0] == 'L'));
        Assert.Equal("A:  wide\nB:2\nC:\t3\nX-New:tight\n\nx\n", await rig.OnlyAsync());
    }

    [Fact]
    public async Task A_message_without_body_or_header_is_told_too()
    {
        ScriptedMilter filter = new();
        filter.At('E', new MilterAct.Say(('h', ScriptedMilter.Texts("X", "1")), ('c', [])));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync("")).Code);
        Assert.Equal("X: 1\n", await rig.OnlyAsync());
        Assert.DoesNotContain(filter.Heard, word => word[0] is 'L' or 'B');
    }

    [Fact]
    public async Task Octets_above_ascii_stay_as_they_are()
    {
        ScriptedMilter filter = new();
        filter.At('E', new MilterAct.Say(('h', ScriptedMilter.Texts("X", "\u00e9\u00ff")), ('c', [])));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync("Subject: caf\u00e9\n\nb\u00e4\n")).Code);
        Assert.Contains("L Subject|caf\u00e9", filter.Heard);
        Assert.Equal("Subject: caf\u00e9\nX: \u00e9\u00ff\n\nb\u00e4\n", await rig.OnlyAsync());
    }

    [Fact]
    public async Task Lmtp_answers_each_recipient_of_the_client()
    {
        ScriptedMilter filter = new();
        filter.At('E', new MilterAct.Say(('-', ScriptedMilter.Texts("<ann@example.org>")), ('c', [])));
        await using MilterRig rig = new(null, filter) { Client = Fakes.TransportRig.Lmtp with { LocalEndPoint = new System.Net.Sockets.UnixDomainSocketEndPoint("/run/posthorn/lmtp") } };
        Assert.Equal(250, (await rig.SendOneAsync(to: "ann@example.org bob@example.org")).Code);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Equal("C localhost|L|0|/run/posthorn/lmtp", filter.Heard[1]);
    }

    [Fact]
    public async Task Refused_recipients_are_told_to_filters_that_want_them()
    {
        ScriptedMilter wants = new() { Steps = 0x800, Macros = new Dictionary<int, string> { [3] = "{rcpt_mailer} {rcpt_host} {rcpt_addr}" }, HearsMacros = true }, other = new();
        await using MilterRig rig = new(null, wants, other);
        Assert.Equal(550, (await rig.SendOneAsync(to: "nobody@example.org")).Code);
        Assert.Equal(["D(R) {rcpt_mailer}=error", "D(R) {rcpt_host}=5.1.1", "D(R) {rcpt_addr}=No such user here", "R <nobody@example.org>"], wants.Heard.SkipWhile(word => word[0] != 'M').Skip(1).Take(4));
        Assert.DoesNotContain(other.Heard, word => word[0] == 'R');
    }

    [Fact]
    public async Task Mail_of_a_filter_is_within_what_one_reply_can_say()
    {
        ScriptedMilter filter = new();
        filter.At('R', new MilterAct.Say(('y', [.. Encoding.UTF8.GetBytes("550 5.7.1 " + new string('\u00e9', 3000)), 0])));
        await using MilterRig rig = new(null, filter);
        SmtpReply reply = await rig.SendOneAsync();
        Assert.Equal(new string('?', 480), reply.Text);
    }
}
