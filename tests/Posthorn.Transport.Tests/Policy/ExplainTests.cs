using System.Net;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Net;
using Posthorn.Smtp;
using Posthorn.Testing;
using Posthorn.Transport.Filtering;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Explaining;
using Posthorn.Transport.Policy.Rules;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Policy;

/// <summary>What <c>explain</c> says is what happens.</summary>
public sealed class ExplainTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly LookupTables _tables;

    public ExplainTests() => _tables = new(new()
    {
        Tables = new Dictionary<string, LookupSource>
        {
            ["to"] = new(LookupType.Hash, _folder.Write("to", "old@example.org bob@example.org\ngone@example.org gone@far.example\nteam@example.org ann+team@example.org\n")),
            ["from"] = new(LookupType.Hash, _folder.Write("from", "eve@example.net eva@new.example\n@a.example.net @new.example\n")),
            ["copies"] = new(LookupType.Hash, _folder.Write("copies", "ann@example.org archive@far.example\nx@elsewhere.example bob@example.org\n")),
            ["access"] = new(LookupType.Hash, _folder.Write("access", "192.0.2.10 REJECT client\n198.51 DEFER net\n2001:db8 HOLD six\nhost.dyn.example WARN name\nmx.example.org REJECT helo\nexample 200\neve@example.net PREPEND X-T: 1\n"
                + "example.net REJECT domain\nbob@example.org OK\nbob@ REJECT bob\nteam@ 450 4.7.1 team\nexample.org DUNNO\nelsewhere.example 550 5.7.1 else\nann+lists@example.org REDIRECT bob@example.org\n<> DISCARD null\nann@example.org 1\n")),
            ["lost"] = new(LookupType.Hash, Path.Combine(_folder.Path, "nowhere", "lost")),
            ["moved"] = new(LookupType.Hash, _folder.Write("moved", "nobody@example.org nobody@new.example\n")),
        },
    }, TimeProvider.System, NullLogger.Instance);

    public void Dispose() => _folder.Dispose();

    private static readonly string[] Clients = ["192.0.2.10", "198.51.100.7", "2001:db8::7"];
    private static readonly string[] Helos = ["mx.example.org", "client.example.net", "other.example"];
    private static readonly string[] Senders = ["<>", "eve@example.net", "bob@example.org", "ann@example.org", "x@a.example.net"];
    private static readonly string[] Recipients = ["ann@example.org", "bob@example.org", "team@example.org", "away@example.org", "nobody@example.org", "x@elsewhere.example", "ann+lists@example.org", "old@example.org", "gone@example.org"];
    private static readonly string[] Stages = ["connect", "helo", "sender", "recipient", "data", "message"];

    private static readonly string[] Actions =
    [
        "OK", "DUNNO", "REJECT", "REJECT 5.7.9 Not {sender}", "DEFER", "421 4.7.0 Away with you", "452 4.3.1 Later", "DEFER_IF_PERMIT Gray", "DEFER_IF_REJECT Perhaps", "HOLD odd", "DISCARD rubbish",
        "REDIRECT bob@example.org", "REDIRECT x@elsewhere.example", "PREPEND X-Note: {client}", "WARN hm", "lookup", "lookup", "lookup",
    ];

    private static readonly Gen<string> Rules = from stage in Gen.Int[0, Stages.Length - 1]
                                                from conditions in Gen.Int[0, 6].Array[0, 2]
                                                from pick in Gen.Int[0, 1000].Array[4]
                                                from action in OneOf(Actions)
                                                select Rule(stage, conditions, pick, action);

    private sealed record Case(string[] Rules, string Client, string Helo, string Sender, string[] Recipients, bool Delays, bool Trusts, bool LogsIn = false, bool Rewrites = false)
    {
        public override string ToString() => $"{Client} {Helo} {Sender} -> {string.Join(' ', Recipients)}, delays={Delays}, trusts={Trusts}, logs in={LogsIn}, rewrites={Rewrites}\n{string.Join('\n', Rules)}";
    }

    [Fact]
    public Task Explain_agrees_with_a_session() => (
        from rules in Rules.Array[0, 6]
        from client in OneOf(Clients)
        from helo in OneOf(Helos)
        from sender in OneOf(Senders)
        from recipients in OneOf(Recipients).Array[1, 3]
        from delays in Gen.Bool
        from trusts in Gen.Bool
        from logsIn in Gen.Bool
        from rewrites in Gen.Bool
        select new Case(rules, client, helo, sender, [.. recipients.Distinct()], delays && !logsIn, trusts, logsIn, rewrites)).SampleAsync(async one =>
    {
        World told = await ExplainedAsync(one), real = await HappenedAsync(one);
        Assert.Equal(real.ToString(), told.ToString());
    }, iter: 1500);

    [Fact]
    public async Task The_deciding_rule_is_named_with_its_place_and_nothing_happens()
    {
        using TransportRig rig = new();
        Explanation told = await ExplainAsync(rig, new(["stage=connect; client=10.0.0.0/8; action=REJECT", "stage=sender; sender=eve@example.net; action=REJECT Not you"], "192.0.2.10", "client.example.net", "eve@example.net", ["ann@example.org"], true, false));
        ExplainedStage sender = told.Stages.Single(stage => stage.Stage == CheckStage.Sender);
        Assert.Equal("rules:2", sender.DecidedBy);
        Assert.Equal("250 2.1.0 Ok", sender.Reply!.ToString());
        Assert.Equal("554 5.7.1 Not you", sender.Refusal!.ToString());
        Assert.Equal("554 5.7.1 Not you", Assert.Single(told.Recipients).Reply.ToString());
        Assert.False(told.IsAccepted);
        Assert.Empty(await rig.MailAsync(rig.Ann));
        Assert.Empty(rig.Queued);
    }

    [Fact]
    public async Task A_table_that_decides_is_told_with_its_rule_and_one_that_cannot_be_read_too()
    {
        Case one = new(["stage=sender; lookup=access; lookup-key=sender; action=lookup", "lookup=lost; lookup-key=recipient; action=OK"], "198.51.100.7", "client.example.net", "x@a.example.net", ["ann@example.org"], true, false);
        using TransportRig rig = Rig(one);
        Explanation told = await ExplainAsync(rig, one);
        ExplainedStage sender = told.Stages.Single(stage => stage.Stage == CheckStage.Sender);
        Assert.Equal(("rules:1", "554 5.7.1 domain"), (sender.DecidedBy, sender.Refusal!.ToString()));
        one = one with { Sender = "x@far.example" };
        ExplainedStage recipient = (await ExplainAsync(rig, one)).Stages.Single(stage => stage.Stage == CheckStage.Recipient);
        Assert.Equal(("rules:2", 451), (recipient.DecidedBy, recipient.Refusal!.Code));
        Assert.Contains(recipient.Remarks, remark => remark.Text.Contains("lost", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Aliases_routes_and_mailboxes_are_told()
    {
        using TransportRig rig = new();
        Explanation told = await ExplainAsync(rig, new([], "192.0.2.10", "client.example.net", "eve@example.net", ["team@example.org", "away@example.org", "x@elsewhere.example"], true, true));
        Assert.Equal(["ann@example.org", "bob@example.org", "ann@far.example", "x@elsewhere.example"], told.Targets.Select(target => target.Address.ToString()));
        Assert.Equal(["INBOX", "INBOX", null, null], told.Targets.Select(target => target.Mailbox));
        Assert.Equal("by MX: mx1.far.example, mx2.far.example, port 25", told.Targets[2].Route);
        Assert.Equal("550 5.1.2 The domain does not exist", told.Targets[3].Fault!.ToString());
        Assert.All(told.Stages, stage => Assert.Null(stage.DecidedBy));
    }

    [Fact]
    public async Task What_the_server_itself_refuses_is_the_servers()
    {
        using TransportRig rig = new();
        Explanation told = await ExplainAsync(rig, new(["action=OK"], "192.0.2.10", "client.example.net", "eve@example.net", ["x@elsewhere.example", "nobody@example.org"], true, false));
        ExplainedStage[] recipients = [.. told.Stages.Where(stage => stage.Stage == CheckStage.Recipient)];
        Assert.Equal(["554 5.7.1 Relay access denied", "550 5.1.1 No such user here"], recipients.Select(stage => stage.Refusal!.ToString()));
        Assert.All(recipients, stage => Assert.Equal("server", stage.DecidedBy));
    }

    // What a client sees, and what is there afterwards.
    private sealed record World(List<string> Replies)
    {
        public int Ann { get; set; }
        public int Bob { get; set; }
        public int Held { get; set; }
        public List<string> Onward { get; } = [];
        public List<string> Prepended { get; set; } = [];

        /// <summary>The sender that mailboxes name; null when none got it.</summary>
        public string? From { get; set; }
        public override string ToString() => $"from={From} {string.Join('\n', Replies)}\nann={Ann} bob={Bob} held={Held} onward={string.Join(',', Onward.Order(StringComparer.Ordinal))} prepended={string.Join(',', Prepended)}";
    }

    private TransportRig Rig(Case one) => new(new()
    {
        Hostname = "mail.example.org", OwnEndPoints = [new(IPAddress.Parse("192.0.2.1"), 25)],
        Rewriting = one.Rewrites ? new() { RecipientCanonical = ["to"], SenderCanonical = ["from"], RecipientBcc = ["copies"], Relocated = ["moved"] } : new(),
    }, tables: _tables);

    private async Task<World> ExplainedAsync(Case one)
    {
        using TransportRig rig = Rig(one);
        Explanation told = await ExplainAsync(rig, one);
        World world = new([]);
        foreach (ExplainedStage stage in told.Stages)
        {
            if (stage.Reply is { } reply) world.Replies.Add(reply.ToString());
            else world.Replies.Add(stage.Stage switch { CheckStage.Connect => "220", CheckStage.Helo => "250", CheckStage.Data => "354", _ => "" });
        }
        world.Replies.Remove(""); // the end of the message, where nothing was against it
        if (told.IsAccepted) world.Replies.Add("250 2.0.0");
        if (told.HoldReason is not null && told.DiscardReason is null) world.Held = 1;
        else if (told.IsAccepted)
        {
            world.Ann = told.Targets.Any(target => target.Account == rig.Ann) ? 1 : 0;
            world.Bob = told.Targets.Any(target => target.Account == rig.Bob) ? 1 : 0;
            world.Onward.AddRange(told.Targets.Where(target => target.Account is null).Select(target => target.Address.ToString()).Distinct());
        }
        if (world.Ann + world.Bob > 0) (world.Prepended, world.From) = ([.. told.Prepended], $"<{told.RewrittenFrom?.ToString() ?? one.Sender.Trim('<', '>')}>");
        return world;
    }

    private async Task<World> HappenedAsync(Case one)
    {
        using TransportRig rig = Rig(one);
        Prepare(rig, one);
        World world = new([]);
        await using SmtpSessions sessions = new();
        SmtpOptions options = new()
        {
            Hostname = DomainName.Create("mx.example.org"), DefaultDomain = DomainName.Create("example.org"), DelaySenderRefusal = one.Delays,
            // Logging in without TLS takes a trusted network.
            TrustedNetworks = one.LogsIn ? [IPNetwork.Parse("0.0.0.0/0"), IPNetwork.Parse("::/0")] : one.Trusts ? [IPNetwork.Parse("192.0.2.0/24"), IPNetwork.Parse("2001:db8::/32")] : [],
        };
        MemoryChannel channel = sessions.Connect(new(one.LogsIn ? new("submission", ListenerRole.Submission, TlsMode.None) : new("smtp", ListenerRole.Mx, TlsMode.None), options, new(rig.Transport, rig.Directory, null, sessions.Time, NullLogger.Instance)), ReadSplit.Whole, one.Client);
        await using Connection client = new(channel, new("client"), TimeProvider.System);
        string sender = one.Sender == "<>" ? "" : one.Sender;
        bool open = await HearAsync("220", whole: false) && await SayAsync($"EHLO {one.Helo}", "250", whole: false) && await LogInAsync() && await SayAsync($"MAIL FROM:<{sender}>", "250");
        bool any = false;
        if (open)
        {
            foreach (string recipient in one.Recipients)
            {
                any |= await SayAsync($"RCPT TO:<{recipient}>", "250");
                if (!world.Replies[^1].StartsWith("421", StringComparison.Ordinal)) continue;
                any = false;
                break;
            }
        }
        if (any && await SayAsync("DATA", "354", whole: false)) await SayAsync("Subject: one\r\n\r\ntext\r\n.", "250", whole: false, shortened: true);
        world.Held = rig.Queued.Count(entry => entry.IsHeld);
        IReadOnlyList<string> ann = await rig.MailAsync(rig.Ann), bob = await rig.MailAsync(rig.Bob);
        (world.Ann, world.Bob) = (ann.Count, bob.Count);
        world.From = ann.Concat(bob).FirstOrDefault()?.Split("\r\n")[0]["Return-Path: ".Length..];
        world.Onward.AddRange(rig.Queued.Where(entry => !entry.IsHeld).SelectMany(entry => entry.Message.Recipients).Select(recipient => recipient.Address.ToString()));
        world.Prepended = [.. ann.Concat(bob).Take(1).SelectMany(mail => mail.Split("\r\n").Skip(2).TakeWhile(line => !line.StartsWith("Received:", StringComparison.Ordinal)))];
        return world;

        async Task<bool> LogInAsync()
        {
            if (!one.LogsIn) return true;
            Assert.True(await SayAsync("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=", "235"));
            world.Replies.RemoveAt(world.Replies.Count - 1); // explain begins with a session that has logged in
            return true;
        }

        async Task<bool> SayAsync(string line, string expected, bool whole = true, bool shortened = false)
        {
            client.Output.Write(Encoding.ASCII.GetBytes(line + "\r\n"));
            try { await client.Output.FlushAsync(default); }
            catch (IOException) { return false; } // sent away
            return await HearAsync(expected, whole, shortened);
        }

        // A positive reply whose words say nothing new is written down by its code.
        async Task<bool> HearAsync(string expected, bool whole = true, bool shortened = false)
        {
            string text = "";
            do
            {
                InputLine line = await client.ReadLineAsync(10_000, default).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
                if (line.Status == LineStatus.Ended) return false;
                text = Encoding.ASCII.GetString(line.Bytes.Span);
            }
            while (text.Length > 3 && text[3] == '-');
            bool good = text.StartsWith(expected, StringComparison.Ordinal);
            world.Replies.Add(good && shortened ? text[..9] : good && !whole ? expected : text);
            return good;
        }
    }

    private static async Task<Explanation> ExplainAsync(TransportRig rig, Case one)
    {
        FakeDns dns = Prepare(rig, one);
        IPAddress address = IPAddress.Parse(one.Client);
        return await new Explainer(rig.Transport, dns, (_, _) => new(new ScriptChain([]))).RunAsync(new()
        {
            Role = one.LogsIn ? ListenerRole.Submission : ListenerRole.Mx, Listener = one.LogsIn ? "submission" : "smtp", Account = one.LogsIn ? rig.Ann : null, Address = address, Helo = one.Helo, From = one.Sender == "<>" ? ReversePath.Null : ReversePath.Of(EmailAddress.Parse(one.Sender)),
            Recipients = [.. one.Recipients.Select(EmailAddress.Parse)], IsTrusted = one.LogsIn || one.Trusts && one.Client != "198.51.100.7", Delays = one.Delays,
        }, default);
    }

    private static FakeDns Prepare(TransportRig rig, Case one)
    {
        rig.Directory.AddAlias("team@example.org", "ann@example.org", "bob@example.org");
        rig.Directory.AddAlias("away@example.org", "ann@far.example");
        FakeDns dns = new();
        dns.Mx["far.example"] = [new(1, "mx1.far.example"), new(2, "mx2.far.example")];
        dns.Names[IPAddress.Parse("198.51.100.7")] = ["host.dyn.example"];
        dns.Hosts["host.dyn.example"] = [IPAddress.Parse("198.51.100.7")];
        dns.Hosts["7.100.51.198.black.example"] = [IPAddress.Parse("127.0.0.2")];
        rig.Transport.Checks = new([new RuleSet([.. one.Rules.Select((text, i) => RuleText.Read(text, i + 1))], new(rig.Directory, dns) { Tables = rig.Services.Tables })], new(dns));
        return dns;
    }

    private static string Rule(int stage, int[] conditions, int[] pick, string action)
    {
        List<string> parts = [$"stage={Stages[stage]}"];
        foreach (int condition in conditions.Distinct())
        {
            string? text = condition switch
            {
                0 => $"client={(pick[0] % 2 == 0 ? "!" : "")}{Clients[pick[0] % 3]}",
                1 when stage >= 1 => $"helo={Helos[pick[1] % 3]}",
                2 when stage >= 2 => $"sender={(pick[2] % 6 < 4 ? Senders[pick[2] % 6] : pick[2] % 6 == 4 ? "*" : ".example.net")}",
                3 when stage >= 3 => $"recipient={Recipients[pick[3] % Recipients.Length]}",
                5 => "listeners=submission",
                6 when action != "lookup" => Lookup(stage, pick[0], pick[1] % 12 == 0 ? "lost" : "access"),
                4 => pick[3] % 3 == 0 ? "client-name=.dyn.example" : pick[3] % 3 == 1 ? "dns-lists=black.example" : stage >= 2 ? "login-mismatch=true" : null,
                _ => null,
            };
            if (text is not null) parts.Add(text);
        }
        if (action == "lookup") parts.Add(Lookup(stage, pick[0], pick[1] % 12 == 0 ? "lost" : "access"));
        parts.Add($"action={action}");
        return string.Join("; ", parts);
    }

    private static string Lookup(int stage, int pick, string table)
    {
        string[] keys = stage switch { 0 => ["client", "client-name"], 1 => ["client", "client-name", "helo"], 2 => ["client", "helo", "sender", "account"], _ => ["client-name", "helo", "sender", "recipient", "account"] };
        return $"lookup={table}; lookup-key={keys[pick % keys.Length]}";
    }

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);
}
