using System.Text;
using Posthorn.Core;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Policy;

/// <summary>The hook for checks: who is asked what, and what becomes of verdicts and orders.</summary>
public sealed class CheckTests : IDisposable
{
    private const string Mail = "From: eve@example.net\nSubject: one\n\ntext\n";
    private readonly TransportRig _rig = new();
    private readonly List<string> _asked = [];
    private readonly ScriptedCheck _first;
    private readonly ScriptedCheck _second;

    public CheckTests()
    {
        (_first, _second) = (new("a", _asked), new("b", _asked));
        _rig.Transport.Checks = new([_first, _second], new(null));
    }

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task Every_stage_asks_every_check_in_order()
    {
        await using SessionPolicy policy = Open();
        Assert.Null(await policy.ConnectAsync(default));
        Assert.Null(await policy.HeloAsync(TransportRig.Stranger, default));
        Assert.Equal("250 2.0.0", Start(await SendAsync(policy)));
        await policy.EndAsync(default);
        Assert.Equal(["a connect", "b connect", "a helo client.example.net", "b helo client.example.net", "a sender eve@example.net", "b sender eve@example.net",
            "a recipient ann@example.org", "b recipient ann@example.org", "a data 1", "b data 1", "a message", "b message"], _asked);
        Assert.Single(await _rig.MailAsync(_rig.Ann));
    }

    [Fact]
    public async Task The_first_refusal_counts_and_nobody_else_is_asked()
    {
        _first.Says[CheckStage.Recipient] = (_, _) => new Verdict.Refuse(new(550, "5.7.1", "Not here"));
        await using SessionPolicy policy = Open();
        Envelope envelope = _rig.Envelope(TransportRig.Stranger, "eve@example.net");
        await policy.SenderAsync(envelope, default);
        SmtpReply reply = await policy.RecipientAsync(envelope, new(EmailAddress.Parse("ann@example.org"), DsnNotify.Unspecified, null), default);
        Assert.Equal("550 5.7.1 Not here", reply.ToString());
        await policy.EndAsync(default);
        Assert.Equal(["a sender eve@example.net", "b sender eve@example.net", "a recipient ann@example.org", "b refused ann@example.org 550", "a abort", "b abort"], _asked);
    }

    [Theory]
    [InlineData(CheckStage.Connect)]
    [InlineData(CheckStage.Helo)]
    [InlineData(CheckStage.Sender)]
    public async Task Early_refusals_are_told_at_rcpt_where_that_is_wanted(CheckStage stage)
    {
        _second.Says[stage] = (_, _) => new Verdict.Refuse(new(554, "5.7.1", "Go away"));
        await using SessionPolicy policy = Open(delays: true);
        Assert.Null(await policy.ConnectAsync(default));
        Assert.Null(await policy.HeloAsync(TransportRig.Stranger, default));
        Envelope envelope = _rig.Envelope(TransportRig.Stranger, "eve@example.net");
        Assert.True((await policy.SenderAsync(envelope, default)).IsPositive);
        Assert.Equal(554, (await policy.RecipientAsync(envelope, new(EmailAddress.Parse("ann@example.org"), DsnNotify.Unspecified, null), default)).Code);
        await policy.EndAsync(default);
        // A sender's refusal holds for its transaction, the others for the session.
        _second.Says.Clear();
        envelope = _rig.Envelope(TransportRig.Stranger, "eve@example.net");
        await policy.SenderAsync(envelope, default);
        Assert.Equal(stage == CheckStage.Sender, (await policy.RecipientAsync(envelope, new(EmailAddress.Parse("ann@example.org"), DsnNotify.Unspecified, null), default)).IsPositive);
    }

    [Theory]
    [InlineData(CheckStage.Connect)]
    [InlineData(CheckStage.Helo)]
    [InlineData(CheckStage.Sender)]
    public async Task A_421_is_told_at_once(CheckStage stage)
    {
        _first.Says[stage] = (_, _) => new Verdict.Refuse(new(421, "4.7.0", "Later"));
        await using SessionPolicy policy = Open(delays: true);
        SmtpReply? connect = await policy.ConnectAsync(default), helo = await policy.HeloAsync(TransportRig.Stranger, default);
        SmtpReply sender = await policy.SenderAsync(_rig.Envelope(TransportRig.Stranger, "eve@example.net"), default);
        Assert.Equal([stage == CheckStage.Connect, stage == CheckStage.Helo, stage == CheckStage.Sender], [connect is not null, helo is not null, sender.Code == 421]);
    }

    [Fact]
    public async Task No_check_makes_a_relay_or_an_account()
    {
        foreach (CheckStage stage in Enum.GetValues<CheckStage>()) _first.Says[stage] = (_, _) => Verdict.Accept;
        await using SessionPolicy policy = Open();
        await policy.ConnectAsync(default);
        Envelope envelope = _rig.Envelope(TransportRig.Stranger, "eve@example.net");
        await policy.SenderAsync(envelope, default);
        Assert.Equal("554 5.7.1 Relay access denied", (await policy.RecipientAsync(envelope, new(EmailAddress.Parse("x@example.com"), DsnNotify.Unspecified, null), default)).ToString());
        Assert.Equal(550, (await policy.RecipientAsync(envelope, new(EmailAddress.Parse("nobody@example.org"), DsnNotify.Unspecified, null), default)).Code);
    }

    [Fact]
    public async Task A_check_that_has_accepted_is_asked_no_more_in_that_transaction()
    {
        _first.Says[CheckStage.Sender] = (_, _) => Verdict.Accept;
        await using SessionPolicy policy = Open();
        await SendAsync(policy);
        await policy.EndAsync(default);
        Assert.DoesNotContain("a message", _asked);
        Assert.Contains("b message", _asked);
        await SendAsync(policy);
        Assert.Equal(2, _asked.Count(line => line == "a sender eve@example.net"));
    }

    [Fact]
    public async Task A_check_that_has_accepted_the_client_is_asked_no_more_at_all()
    {
        _first.Says[CheckStage.Connect] = (_, _) => Verdict.Accept;
        await using SessionPolicy policy = Open();
        await policy.ConnectAsync(default);
        await SendAsync(policy);
        Assert.Equal(["a connect"], _asked.Where(line => line[0] == 'a'));
    }

    [Fact]
    public async Task A_message_can_be_refused_at_its_end()
    {
        _second.Says[CheckStage.Message] = (_, _) => new Verdict.Refuse(new(550, "5.7.1", "Spam"));
        await using SessionPolicy policy = Open();
        Assert.Equal("550 5.7.1 Spam", (await SendAsync(policy)).ToString());
        Assert.Empty(await _rig.MailAsync(_rig.Ann));
    }

    [Fact]
    public async Task What_is_held_waits_in_the_queue_until_it_is_released()
    {
        _first.Says[CheckStage.Recipient] = (context, _) =>
        {
            context.Orders.Hold("looks odd");
            return Verdict.Continue;
        };
        await using SessionPolicy policy = Open();
        Assert.Equal("250 2.0.0", Start(await SendAsync(policy)));
        QueueEntry entry = Assert.Single(_rig.Queued);
        Assert.True(entry.IsHeld);
        Assert.Equal("looks odd", entry.Message.HoldReason);
        Assert.Empty(await _rig.MailAsync(_rig.Ann));
        Assert.Null(_rig.Queue.TryTake(_rig.Time.GetUtcNow()));
        await _rig.Queue.OrderAsync(entry.Message.Id, QueueOrder.Release, default);
        Assert.NotNull(_rig.Queue.TryTake(_rig.Time.GetUtcNow()));
    }

    [Fact]
    public async Task What_is_discarded_is_answered_as_if_it_were_taken()
    {
        _first.Says[CheckStage.Sender] = (context, _) =>
        {
            context.Orders.Discard("known rubbish");
            return Verdict.Continue;
        };
        await using SessionPolicy policy = Open();
        Assert.Equal("250 2.0.0", Start(await SendAsync(policy)));
        Assert.Empty(await _rig.MailAsync(_rig.Ann));
        Assert.Empty(_rig.Queued);
    }

    [Fact]
    public async Task A_redirected_message_goes_to_one_address_alone()
    {
        _first.Says[CheckStage.Data] = (context, _) =>
        {
            context.Orders.Redirect(EmailAddress.Parse("bob@example.org"));
            return Verdict.Continue;
        };
        await using SessionPolicy policy = Open();
        await SendAsync(policy);
        Assert.Empty(await _rig.MailAsync(_rig.Ann));
        Assert.Single(await _rig.MailAsync(_rig.Bob));
    }

    [Fact]
    public async Task Prepended_fields_stand_before_our_own_line()
    {
        _first.Says[CheckStage.Connect] = (context, _) =>
        {
            context.Orders.Prepend("X-Session: 1");
            return Verdict.Continue;
        };
        _first.Says[CheckStage.Sender] = (context, _) =>
        {
            context.Orders.Prepend("X-Early: 1");
            return Verdict.Continue;
        };
        _second.Says[CheckStage.Message] = (context, _) =>
        {
            context.Orders.Prepend("X-Late: 1");
            return Verdict.Continue;
        };
        await using SessionPolicy policy = Open();
        await policy.ConnectAsync(default);
        await SendAsync(policy);
        string mail = Assert.Single(await _rig.MailAsync(_rig.Ann));
        Assert.Equal(["Return-Path", "Delivered-To", "X-Session", "X-Early", "X-Late", "Received", "From", "Subject"], Names(mail));
    }

    [Fact]
    public async Task What_is_ordered_for_a_name_in_HELO_ends_with_the_next_one()
    {
        _first.Says[CheckStage.Connect] = (context, _) =>
        {
            context.Orders.Prepend("X-Connect: 1");
            return Verdict.Continue;
        };
        _first.Says[CheckStage.Helo] = (context, _) =>
        {
            if (context.Client.Helo == "evil.example.net") context.Orders.Discard("a bad name");
            context.Orders.Prepend($"X-Helo: {context.Client.Helo}");
            return Verdict.Continue;
        };
        await using SessionPolicy policy = Open();
        await policy.ConnectAsync(default);
        foreach (string name in (string[])["evil.example.net", "one.example.net", "two.example.net"]) await policy.HeloAsync(TransportRig.Stranger with { Helo = name }, default);
        await SendAsync(policy);
        string mail = Assert.Single(await _rig.MailAsync(_rig.Ann));
        Assert.Equal(["Return-Path", "Delivered-To", "X-Connect", "X-Helo", "Received", "From", "Subject"], Names(mail));
        Assert.Contains("X-Helo: two.example.net\r\n", mail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_recipient_is_told_to_those_that_have_not_heard_of_it()
    {
        ScriptedCheck third = new("c", _asked);
        _rig.Transport.Checks = new([_first, _second, third], new(null));
        _second.Says[CheckStage.Recipient] = (_, _) => new Verdict.Refuse(new(550, "5.7.1", "Not here"));
        await using SessionPolicy policy = Open();
        Envelope envelope = _rig.Envelope(TransportRig.Stranger, "eve@example.net");
        await policy.SenderAsync(envelope, default);
        _asked.Clear();
        await policy.RecipientAsync(envelope, new(EmailAddress.Parse("ann@example.org"), DsnNotify.Unspecified, null), default);
        Assert.Equal(["a recipient ann@example.org", "b recipient ann@example.org", "c refused ann@example.org 550"], _asked);
        _asked.Clear();
        await policy.RecipientAsync(envelope, new(EmailAddress.Parse("nobody@example.org"), DsnNotify.Unspecified, null), default);
        Assert.Equal(["a refused nobody@example.org 550", "b refused nobody@example.org 550", "c refused nobody@example.org 550"], _asked);
    }

    [Fact]
    public async Task A_draft_can_be_changed_and_the_next_check_sees_it()
    {
        _first.Says[CheckStage.Message] = (_, draft) =>
        {
            Assert.Equal(["From", "Subject"], draft!.Fields.Select(field => field.Name));
            Assert.Equal(" one", Encoding.ASCII.GetString(draft.Fields[1].Value.Span));
            draft.Insert(0, HeaderField.Make("X-Top", " a\nb"u8));
            draft.Insert(99, HeaderField.Make("X-End", " z"u8));
            draft.Replace(2, HeaderField.Make("Subject", " two"u8));
            return Verdict.Continue;
        };
        _second.Says[CheckStage.Message] = (_, draft) =>
        {
            Assert.Equal(["X-Top", "From", "Subject", "X-End"], draft!.Fields.Select(field => field.Name));
            byte[] body = new byte[100];
            Assert.Equal("text\r\n", Encoding.ASCII.GetString(body, 0, draft.ReadBody(0, body)));
            draft.Remove(1);
            return Verdict.Continue;
        };
        await using SessionPolicy policy = Open();
        await SendAsync(policy);
        string mail = Assert.Single(await _rig.MailAsync(_rig.Ann));
        Assert.EndsWith("X-Top: a\r\n\tb\r\nSubject: two\r\nX-End: z\r\n\r\ntext\r\n", mail, StringComparison.Ordinal);
        Assert.DoesNotContain("From: eve", mail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no header at all")]
    [InlineData("")]
    [InlineData("A: b\n")]
    [InlineData("A: b\n c\nbad line\nD: e\n\n")]
    [InlineData("\nbody alone\n")]
    public async Task What_a_check_only_looks_at_or_puts_a_field_before_stays_as_it_was(string text)
    {
        _first.Says[CheckStage.Message] = (_, draft) =>
        {
            draft!.Insert(0, HeaderField.Make("X-New", " 1"u8));
            return Verdict.Continue;
        };
        await using SessionPolicy policy = Open();
        await SendAsync(policy, text);
        string mail = Assert.Single(await _rig.MailAsync(_rig.Ann));
        string after = mail[(mail.IndexOf("X-New: 1\r\n", StringComparison.Ordinal) + 10)..];
        string original = text.ReplaceLineEndings("\r\n");
        Assert.StartsWith(original, after, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Body_sender_and_recipients_can_be_replaced()
    {
        _first.Says[CheckStage.Message] = (_, draft) =>
        {
            draft!.ChangeSender(ReversePath.Of(EmailAddress.Parse("new@example.net")));
            draft.AddRecipient(new(EmailAddress.Parse("bob@example.org"), DsnNotify.Unspecified, null));
            draft.RemoveRecipient(EmailAddress.Parse("ann@example.org"));
            draft.ClearBodyAsync().AsTask().GetAwaiter().GetResult();
            draft.WriteBodyAsync("other\r\n"u8.ToArray(), default).AsTask().GetAwaiter().GetResult();
            return Verdict.Continue;
        };
        await using SessionPolicy policy = Open();
        await SendAsync(policy);
        Assert.Empty(await _rig.MailAsync(_rig.Ann));
        string mail = Assert.Single(await _rig.MailAsync(_rig.Bob));
        Assert.StartsWith("Return-Path: <new@example.net>", mail, StringComparison.Ordinal);
        Assert.EndsWith("Subject: one\r\n\r\nother\r\n", mail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_checks_a_session_has_nothing_to_ask()
    {
        _rig.Transport.Checks = CheckSet.None;
        Assert.Null(_rig.Transport.OpenChecks(TransportRig.Stranger));
        await using SessionPolicy policy = Open();
        await policy.ConnectAsync(default);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            await policy.ConnectAsync(default);
            await policy.HeloAsync(TransportRig.Stranger, default);
            await policy.EndAsync(default);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal("250 2.0.0", Start(await SendAsync(policy)));
    }

    private SessionPolicy Open(bool delays = false) => new(_rig.Transport, _rig.Transport.OpenChecks(TransportRig.Stranger), delays);

    private async Task<SmtpReply> SendAsync(SessionPolicy policy, string mail = Mail)
    {
        Envelope envelope = _rig.Envelope(TransportRig.Stranger, "eve@example.net");
        SmtpReply reply = await policy.SenderAsync(envelope, default);
        if (!reply.IsPositive) return reply;
        EnvelopeRecipient ann = new(EmailAddress.Parse("ann@example.org"), DsnNotify.Unspecified, null);
        reply = await policy.RecipientAsync(envelope, ann, default);
        if (!reply.IsPositive) return reply;
        envelope.Recipients.Add(ann);
        return await policy.DataAsync(envelope, default) ?? (await _rig.SendAsync(envelope, mail)).Overall;
    }

    private static string Start(SmtpReply reply) => $"{reply.Code} {reply.Status}";

    private static IEnumerable<string> Names(string mail) =>
        mail[..mail.IndexOf("\r\n\r\n", StringComparison.Ordinal)].Split("\r\n").Where(line => line[0] is not (' ' or '\t')).Select(line => line[..line.IndexOf(':', StringComparison.Ordinal)]);
}
