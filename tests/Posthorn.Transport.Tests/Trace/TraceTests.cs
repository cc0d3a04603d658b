using System.Net;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Rules;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Tests.Trace;

/// <summary>What is written of the life of messages, how it is found, and what is kept.</summary>
public sealed class TraceTests : IAsyncDisposable
{
    private const int Messages = 2_000;

    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private TraceLog? _log;

    private string Folder => Path.Combine(_folder.Path, "trace");

    public async ValueTask DisposeAsync()
    {
        if (_log is not null) await _log.DisposeAsync();
        _folder.Dispose();
    }

    private ITrace Open(Func<TraceOptions, TraceOptions>? change = null)
    {
        TraceOptions options = new() { Folder = Folder };
        return _log = new(change is null ? options : change(options), _time, NullLogger.Instance);
    }

    private async Task CloseAsync()
    {
        await _log!.DisposeAsync();
        _log = null;
    }

    private static QueueId Id(int number) => new($"0000{number:D7}");

    private static QueueMessage Message(int number, string from = "ann@example.org", string to = "bob@example.net") => new()
    {
        Id = Id(number), Arrived = default, From = ReversePath.Of(EmailAddress.Parse(from)), Origin = "", Size = 100 + number, Recipients = [new(EmailAddress.Parse(to), DsnNotify.Unspecified, null)],
    };

    private static TraceEvent.Received Received(int number, string messageId = "<m{0}@example.org>", string to = "bob@example.net", ClientContext? client = null) =>
        new(Message(number, to: to), client, Encoding.UTF8.GetBytes(messageId.Replace("{0}", number.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal)));

    private static TraceEvent.Attempted Sent(int number) => new(Id(number), "sent", EmailAddress.Parse("bob@example.net"), "mx.example.net", new(250, "2.0.0", "Ok"));

    private async Task<TraceResult> FindAsync(string what, int limit = 20)
    {
        if (_log is not null) await _log.FlushAsync(TestContext.Current.CancellationToken);
        return TraceReader.Open(Folder).Find(what, limit);
    }

    [Theory]
    [InlineData("00000000001")]
    [InlineData("<m1@example.org>")]
    [InlineData("m1@example.org")]
    [InlineData("BOB1@Example.Net")]
    public async Task A_message_is_found_by_its_id_its_message_id_and_its_addresses(string what)
    {
        ITrace trace = Open();
        for (int i = 0; i < 3; i++) trace.Tell(Received(i, to: $"bob{i}@example.net"));
        trace.Tell(Sent(1));
        TracedMessage found = Assert.Single((await FindAsync(what)).Messages);
        Assert.Equal(Id(1).Value, found.Id);
        Assert.Equal(["received", "sent"], found.Steps.Select(step => step.What));
        Assert.Equal("250 2.0.0 Ok", found.Steps[1].Text("reply"));
    }

    [Fact]
    public async Task Full_files_are_found_by_their_index_and_without_it()
    {
        ITrace trace = Open(options => options with { SegmentSize = 20_000 });
        for (int i = 0; i < Messages; i++)
        {
            trace.Tell(Received(i));
            _time.Advance(TimeSpan.FromSeconds(1));
            if (i % 50 == 0) await _log!.FlushAsync(TestContext.Current.CancellationToken);
        }
        for (int i = 0; i < Messages; i += 100) trace.Tell(Sent(i));
        await CloseAsync();
        string[] indexes = System.IO.Directory.GetFiles(Folder, "*.index");
        Assert.InRange(indexes.Length, 5, System.IO.Directory.GetFiles(Folder, "*.trace").Length - 1);
        await CheckAsync();
        File.Delete(indexes[0]);
        await File.WriteAllTextAsync(indexes[1], "PHTRIDX1 nonsense", TestContext.Current.CancellationToken);
        await CheckAsync();

        async Task CheckAsync()
        {
            for (int i = 0; i < Messages; i += 100)
            {
                Assert.Equal(["received", "sent"], Assert.Single((await FindAsync($"m{i}@example.org")).Messages).Steps.Select(step => step.What));
                Assert.Empty((await FindAsync($"m{i}@example.orgs")).Messages);
            }
            TraceResult newest = await FindAsync("bob@example.net", 3);
            Assert.True(newest.HasMore);
            Assert.Equal([Id(Messages - 3).Value, Id(Messages - 2).Value, Id(Messages - 1).Value], newest.Messages.Select(message => message.Id));
        }
    }

    [Fact]
    public async Task A_new_server_goes_on_where_the_old_one_was_cut_off()
    {
        ITrace trace = Open();
        trace.Tell(Received(1));
        trace.Tell(Received(2));
        await CloseAsync();
        string file = Assert.Single(System.IO.Directory.GetFiles(Folder, "*.trace"));
        byte[] whole = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        foreach (int cut in (int[])[whole.Length, whole.Length - 1, whole.Length - 40, 30])
        {
            foreach (string old in System.IO.Directory.GetFiles(Folder)) File.Delete(old);
            await File.WriteAllBytesAsync(file, whole[..cut], TestContext.Current.CancellationToken);
            trace = Open(options => options with { SegmentSize = 600 });
            trace.Tell(Received(3));
            await _log!.FlushAsync(TestContext.Current.CancellationToken);
            trace.Tell(Received(4));
            await CloseAsync();
            string[] expected = cut == whole.Length ? ["1", "2", "3", "4"] : cut == 30 ? ["3", "4"] : ["1", "3", "4"];
            Assert.Equal((cut, string.Join(' ', expected)), (cut, string.Join(' ', (await FindAsync("bob@example.net")).Messages.Select(message => message.Id[^1..]))));
        }
    }

    [Fact]
    public async Task What_is_too_old_or_too_much_goes()
    {
        ITrace trace = Open(options => options with { SegmentSize = 2_000, Keep = TimeSpan.FromDays(30), MaxSize = 1 << 20 });
        for (int day = 0; day < 60; day++)
        {
            for (int i = 0; i < 10; i++) trace.Tell(Received(day * 10 + i));
            await _log!.FlushAsync(TestContext.Current.CancellationToken);
            _time.Advance(TimeSpan.FromDays(1));
        }
        await CloseAsync();
        Assert.Empty((await FindAsync("m200@example.org")).Messages);
        Assert.Single((await FindAsync("m320@example.org")).Messages);
        Assert.Single((await FindAsync("m599@example.org")).Messages);

        trace = Open(options => options with { SegmentSize = 2_000, MaxSize = 10_000 });
        for (int i = 0; i < 40; i++)
        {
            trace.Tell(Received(1000 + i));
            await _log!.FlushAsync(TestContext.Current.CancellationToken);
            _time.Advance(TimeSpan.FromMinutes(1));
        }
        await CloseAsync();
        Assert.InRange(System.IO.Directory.GetFiles(Folder).Sum(file => new FileInfo(file).Length), 2_000, 10_000 + 4_000);
        Assert.Single((await FindAsync("m1039@example.org")).Messages);
    }

    [Fact]
    public async Task What_does_not_fit_is_counted_and_told()
    {
        using ManualResetEventSlim gate = new();
        GatedTime time = new(gate);
        await using TraceLog log = new(new() { Folder = Folder, MaxWaiting = 10 }, time, NullLogger.Instance);
        ITrace trace = log;
        // The writer stands still at the clock with the first step in its hand; ten more find room.
        trace.Tell(Received(0));
        await time.Waiting;
        for (int i = 1; i <= 30; i++) trace.Tell(Received(i));
        Assert.Equal(20, log.Lost);
        gate.Set();
        await log.FlushAsync(TestContext.Current.CancellationToken);
        TraceResult result = TraceReader.Open(Folder).Find("m5@example.org", 20);
        Assert.Single(result.Messages);
        Assert.Equal(20, result.Lost);
        Assert.Equal(0, log.Lost);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_written_costs_the_trace_and_nothing_else()
    {
        await File.WriteAllTextAsync(Folder, "in the way", TestContext.Current.CancellationToken);
        ITrace trace = Open();
        for (int i = 0; i < 5; i++) trace.Tell(Received(i));
        await _log!.FlushAsync(TestContext.Current.CancellationToken);
        Assert.True(_log.Lost >= 5);
        File.Delete(Folder);
        _time.Advance(TimeSpan.FromSeconds(11));
        trace.Tell(Received(7));
        TraceResult result = await FindAsync("m7@example.org");
        Assert.Single(result.Messages);
        Assert.True(result.Lost >= 5);
    }

    [Fact]
    public async Task Redacted_addresses_can_be_searched_but_not_read()
    {
        ITrace trace = Open(options => options with { Redact = true });
        ClientContext client = TransportRig.Stranger with { Account = new TransportRig().Ann };
        trace.Tell(Received(1, client: client));
        trace.Tell(new TraceEvent.Attempted(Id(1), "bounced", EmailAddress.Parse("bob@example.net"), "mx.example.net", new(550, "5.1.1", "<bob@example.net>: unknown")));
        TraceResult result = await FindAsync("Bob@example.net");
        string text = await File.ReadAllTextAsync(Assert.Single(System.IO.Directory.GetFiles(Folder, "*.trace")), TestContext.Current.CancellationToken);
        Assert.Equal(2, Assert.Single(result.Messages).Steps.Count);
        foreach (string secret in (string[])["bob@", "ann@", "198.51.100.7", "client.example.net"]) Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
        Assert.Contains("198.51.100.0/24", text, StringComparison.Ordinal);
        Assert.Contains("550 5.1.1 <~", text, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(Folder, "key")));
    }

    [Theory]
    [InlineData("answers 127.0.0.2, score 3", "answers 127.0.0.2, score 3")]
    [InlineData("554 5.7.1 198.51.100.7 is in zen.example", "554 5.7.1 198.51.100.0/24 is in zen.example")]
    [InlineData("no mail from [198.51.100.7]: see http://x.example/?ip=198.51.100.7.", "no mail from [198.51.100.0/24]: see http://x.example/?ip=198.51.100.0/24.")]
    [InlineData("550 2001:db8:1:2::7: go away; 2001:db8::", "550 2001:db8:1::/48: go away; 2001:db8::/48")]
    [InlineData("Client.Example.net said HELO client.example.net.", "[client] said HELO [client].")]
    [InlineData("not.client.example.net, client.example.net.au, x@client.example.net", "not.client.example.net, client.example.net.au, ~")]
    [InlineData("12:34:56 TLSv1.3 with 1.2.3 and 5.7.1, a::b", "12:34:56 TLSv1.3 with 1.2.3 and 5.7.1, a::/48")]
    public async Task Text_is_redacted_too(string said, string written)
    {
        ITrace trace = Open(options => options with { Redact = true });
        trace.Tell(new TraceEvent.Checked(Id(1), "recipient", "rules:1", said) { Names = ["client.example.net", "x"] });
        string text = Assert.Single(Assert.Single((await FindAsync(Id(1).Value)).Messages).Steps).Text("text");
        if (written.EndsWith('~')) Assert.Matches(System.Text.RegularExpressions.Regex.Escape(written[..^1]) + "~[0-9a-f]{12}@client\\.example\\.net", text);
        else Assert.Equal(written, text);
    }

    [Fact]
    public async Task What_rules_say_of_a_client_is_redacted()
    {
        using TransportRig rig = new();
        ITrace trace = Open(options => options with { Redact = true });
        MailTransport transport = new(rig.Options, rig.Services with { Trace = trace });
        FakeDns dns = new();
        dns.Names[TransportRig.Stranger.Address] = ["dsl-7.isp.example"];
        dns.Hosts["dsl-7.isp.example"] = [TransportRig.Stranger.Address];
        Rule[] rules = [Tests.Policy.RuleText.Read("stage=connect; action=WARN seen", 1), Tests.Policy.RuleText.Read("stage=recipient; action=REJECT No {client-name} [{client}], {helo}", 2)];
        transport.Checks = new([new RuleSet(rules, new(rig.Directory, dns))], new(dns));
        await using SessionPolicy policy = new(transport, transport.OpenChecks(TransportRig.Stranger), delays: false);
        await policy.ConnectAsync(default);
        await policy.HeloAsync(TransportRig.Stranger, default);
        Envelope envelope = rig.Envelope(TransportRig.Stranger, "eve@example.net");
        await policy.SenderAsync(envelope, default);
        EnvelopeRecipient ann = new(EmailAddress.Parse("ann@example.org"), DsnNotify.Unspecified, null);
        SmtpReply reply = await policy.RecipientAsync(envelope, ann, default);
        Assert.Equal("554 5.7.1 No dsl-7.isp.example [198.51.100.7], client.example.net", reply.ToString());
        transport.NoteRefusal(envelope, ann, reply);
        IReadOnlyList<TraceLine> steps = Assert.Single((await FindAsync("ann@example.org")).Messages).Steps;
        Assert.Equal(["checked", "checked", "refused"], steps.Select(step => step.What));
        Assert.Equal("554 5.7.1 No [client] [198.51.100.0/24], [client]", steps[2].Text("reply"));
        Assert.Equal("reject 554 5.7.1 No [client] [198.51.100.0/24], [client]", steps[1].Text("text"));
    }

    [Fact]
    public async Task A_message_that_was_broken_off_is_told_with_what_a_filter_said_of_its_client()
    {
        using TransportRig rig = new();
        ITrace trace = Open();
        MailTransport transport = new(rig.Options, rig.Services with { Trace = trace });
        ClientContext client = TransportRig.Stranger with { Forwarded = new() { Name = "far.example.net", Address = IPAddress.Parse("203.0.113.5"), Helo = "far", Ident = "4711" } };
        transport.NoteLoss(rig.Envelope(client, "eve@example.net", "ann@example.org", "bob@example.org"), 1234);
        TraceLine lost = Assert.Single(Assert.Single((await FindAsync("bob@example.org")).Messages).Steps);
        Assert.Equal(("broken-off", "eve@example.net", "1234"), (lost.What, lost.Text("from"), lost.Text("octets")));
        System.Text.Json.JsonElement forwarded = lost.Fields.GetProperty("forwarded");
        Assert.Equal(["203.0.113.5", "far.example.net", "far", "4711"], ((string[])["address", "name", "helo", "ident"]).Select(name => forwarded.GetProperty(name).GetString()));
    }

    [Fact]
    public async Task Switched_off_it_writes_nothing_and_refusals_are_a_switch_of_their_own()
    {
        ITrace trace = Open(options => options with { IsOn = false });
        Assert.False(trace.IsOn);
        trace.Tell(Received(1));
        await CloseAsync();
        Assert.False(System.IO.Directory.Exists(Folder) && System.IO.Directory.GetFiles(Folder).Length > 0);
        trace = Open(options => options with { Refusals = false });
        Assert.True(trace.IsOn);
        Assert.False(trace.WantsRefusals);
    }

    [Fact]
    public async Task No_subjects_and_no_text_are_written_and_odd_ids_do_no_harm()
    {
        using TransportRig rig = new();
        ITrace trace = Open();
        TransportServices services = rig.Services with { Trace = trace };
        MailTransport transport = new(rig.Options, services);
        foreach (string id in (string[])["<a\"b\\c\u00e9@x>", "none", "<" + new string('x', 2000) + "@y>"])
        {
            Envelope envelope = rig.Envelope(TransportRig.Stranger, "eve@example.net", "ann@example.org");
            await using IMessageIntake intake = transport.Begin(envelope);
            await intake.WriteAsync(Encoding.UTF8.GetBytes($"Subject: secret\r\nMessage-ID: {id}\r\n\r\nsecret\r\n"), default);
            Assert.True((await intake.FinishAsync(default)).Overall.IsPositive);
        }
        Assert.Equal(3, (await FindAsync("ann@example.org")).Messages.Count);
        Assert.Single((await FindAsync("<a\"b\\c\u00e9@x>")).Messages);
        Assert.Single((await FindAsync("none")).Messages);
        string text = await File.ReadAllTextAsync(Assert.Single(System.IO.Directory.GetFiles(Folder, "*.trace")), TestContext.Current.CancellationToken);
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refused_mail_is_found_too()
    {
        using TransportRig rig = new();
        ITrace trace = Open();
        MailTransport transport = new(rig.Options, rig.Services with { Trace = trace });
        Envelope envelope = rig.Envelope(TransportRig.Stranger, "eve@example.net");
        transport.NoteRefusal(envelope, new(EmailAddress.Parse("nobody@example.org"), DsnNotify.Unspecified, null), new(550, "5.1.1", "No such user here"));
        TraceLine refused = Assert.Single(Assert.Single((await FindAsync("nobody@example.org")).Messages).Steps);
        Assert.Equal(("refused", "eve@example.net", "550 5.1.1 No such user here"), (refused.What, refused.Text("from"), refused.Text("reply")));
    }

    [Fact]
    public void Any_bytes_in_a_file_are_read_without_harm() => Gen.Byte.Array[0, 200].Array[1, 5].Sample(lines =>
    {
        using TemporaryFolder folder = new();
        byte[] good = Encoding.UTF8.GetBytes("{\"time\":\"2026-03-04T05:06:07.000Z\",\"event\":\"received\",\"id\":\"00000000001\",\"to\":[\"bob@example.net\"]}\n");
        byte[] odd = Encoding.UTF8.GetBytes("{\"time\":\"2026-03-04T05:06:07.000Z\",\"event\":\"stored\",\"id\":7,\"copies\":[3,{\"account\":\"bob@example.net\"}],\"queued\":{\"id\":\"00000000001\"},\"client\":4}\n");
        File.WriteAllBytes(Path.Combine(folder.Path, "00000000000001.trace"), [.. lines.SelectMany(line => line.Append((byte)'\n')), .. odd, .. good]);
        Assert.Single(TraceReader.Open(folder.Path).Find("bob@example.net", 20).Messages);
    }, iter: 300);

    /// <summary>A clock at which the writer waits, once, for a gate.</summary>
    private sealed class GatedTime(ManualResetEventSlim gate) : TimeProvider
    {
        private readonly TaskCompletionSource _waiting = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _asked;

        public Task Waiting => _waiting.Task;

        public override DateTimeOffset GetUtcNow()
        {
            // The first asks for the step, the second is the writer's.
            if (Interlocked.Increment(ref _asked) == 2)
            {
                _waiting.SetResult();
                gate.Wait(TimeSpan.FromSeconds(60));
            }
            return new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);
        }
    }
}
