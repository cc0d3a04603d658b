using System.Buffers.Binary;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Testing;
using Posthorn.Transport.Milter;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Tests.Milter;

/// <summary>Filters that hang, lie, leave, or want too much; and what holds of versions and terms.</summary>
public sealed class MilterTroubleTests
{
    private static readonly MilterFallback[] Fallbacks = Enum.GetValues<MilterFallback>();

    public static IEnumerable<TheoryDataRow<char, string>> Troubles =>
        from stage in "OCHMRTLNBE" from trouble in (string[])["close", "hang", "zero length", "huge length", "unknown command", "edit out of place", "half a packet"] select new TheoryDataRow<char, string>(stage, trouble);

    [Theory]
    [MemberData(nameof(Troubles))]
    public async Task Whatever_goes_wrong_the_settings_decide(char stage, string trouble)
    {
        if (stage == 'E' && trouble == "edit out of place") return; // there it is in place
        foreach (MilterFallback fallback in Fallbacks)
        {
            ScriptedMilter filter = new();
            filter.At(stage, Trouble(trouble));
            TimeSpan patience = trouble is "hang" or "half a packet" ? TimeSpan.FromMilliseconds(50) : TimeSpan.FromSeconds(60);
            await using MilterRig rig = new(options => options with { Fallback = fallback, ConnectTimeout = patience, CommandTimeout = patience, ContentTimeout = patience }, filter);
            SmtpReply reply = await rig.SendOneAsync();
            int stored = (await rig.Rig.MailAsync(rig.Rig.Ann)).Count;
            bool isHeld = rig.Rig.Queued is [QueueEntry { IsHeld: true }];
            string expected = fallback switch
            {
                MilterFallback.Accept => "250 1 False",
                MilterFallback.Quarantine => "250 0 True",
                MilterFallback.Reject => "550 0 False",
                _ => "451 0 False",
            };
            Assert.Equal((fallback, expected), (fallback, $"{reply.Code} {stored} {isHeld}"));
        }
    }

    [Fact]
    public async Task A_filter_that_is_not_there_is_asked_again_by_the_next_session()
    {
        ScriptedMilter filter = new();
        await using MilterRig rig = new(null, filter) { IsDown = true };
        Assert.Equal(451, (await rig.SendOneAsync()).Code);
        rig.IsDown = false;
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
    }

    [Fact]
    public async Task Progress_keeps_a_filter_alive_but_not_for_ever()
    {
        ScriptedMilter filter = new();
        filter.At('E', new MilterAct.Say([.. Enumerable.Repeat(('p', Array.Empty<byte>()), 500), ('c', [])]));
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);

        ScriptedMilter endless = new();
        endless.At('E', new MilterAct.Say(('p', [])));
        await using MilterRig other = new(options => options with { MessageTimeout = TimeSpan.FromMilliseconds(60), ContentTimeout = TimeSpan.FromSeconds(60) }, endless);
        Assert.Equal(451, (await other.SendOneAsync()).Code);
    }

    // It answers within each time that one answer may take, and never comes to an end.
    [Theory]
    [InlineData('L')]
    [InlineData('B')]
    public async Task A_filter_that_lives_but_is_slow_is_given_up_when_the_message_has_taken_too_long(char command)
    {
        FakeTimeProvider time = new();
        long start = time.GetTimestamp();
        ScriptedMilter filter = new();
        filter.At(command, new MilterAct.After(() => time.Advance(TimeSpan.FromSeconds(command == 'L' ? 25 : 290))));
        await using MilterRig rig = new(time, null, filter);
        string mail = string.Concat(Enumerable.Range(0, 40).Select(i => $"X-{i}: a\n")) + "\n" + string.Concat(Enumerable.Repeat(new string('x', 70) + "\n", 4_000));
        Assert.Equal(451, (await rig.SendOneAsync(mail)).Code);
        Assert.InRange(time.GetElapsedTime(start), TimeSpan.FromMinutes(9), TimeSpan.FromMinutes(10));
    }

    [Fact]
    public async Task A_client_that_nobody_knows_has_no_address_of_any_family()
    {
        ScriptedMilter filter = new();
        await using MilterRig rig = new(null, filter);
        rig.Client = rig.Client with { Address = Posthorn.Net.Connection.Unknown.Address, Port = 0, Name = null };
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        await rig.EndAsync();
        Assert.Contains("C unknown|U", filter.Heard);
        Assert.Equal("unknown", filter.MacroValues["{client_addr}"]);
    }

    [Fact]
    public async Task All_filters_share_the_time_of_a_message()
    {
        FakeTimeProvider time = new();
        ScriptedMilter first = new(), second = new();
        foreach (char command in "BE") first.At(command, new MilterAct.After(() => time.Advance(TimeSpan.FromSeconds(240))));
        second.At('B', new MilterAct.After(() => time.Advance(TimeSpan.FromSeconds(100))));
        await using MilterRig rig = new(time, null, first, second);
        Assert.Equal(451, (await rig.SendOneAsync()).Code);
        Assert.Contains(second.Heard, word => word[0] == 'B');
        Assert.DoesNotContain(second.Heard, word => word[0] == 'E');
    }

    [Fact]
    public async Task A_filter_that_wants_what_it_has_not_asked_for_gets_nothing()
    {
        (int Action, char Command, byte[] Data)[] edits =
        [
            (0x11, 'h', ScriptedMilter.Texts("X", "1")), (0x11, 'i', ScriptedMilter.Indexed(1, "X", "1")), (0x10, 'm', ScriptedMilter.Indexed(1, "X", "1")), (0x2, 'b', [1]), (0x84, '+', ScriptedMilter.Texts("<a@example.org>")),
            (0x80, '2', ScriptedMilter.Texts("<a@example.org>", "NOTIFY=NEVER")), (0x8, '-', ScriptedMilter.Texts("<a@example.org>")), (0x20, 'q', ScriptedMilter.Texts("x")), (0x40, 'e', ScriptedMilter.Texts("<a@example.org>")),
        ];
        foreach ((int action, char command, byte[] data) in edits)
        {
            ScriptedMilter filter = new() { Actions = 0x1FF & ~action };
            filter.At('E', new MilterAct.Say((command, data), ('c', [])));
            await using MilterRig rig = new(null, filter);
            Assert.Equal((command, 451), (command, (await rig.SendOneAsync()).Code));
        }
    }

    [Fact]
    public async Task Too_many_changes_too_long_a_header_and_too_large_a_body_are_too_much()
    {
        byte[] piece = new byte[65_535];
        MilterAct[] acts =
        [
            new MilterAct.Say([.. Enumerable.Repeat(('h', ScriptedMilter.Texts("X", "1")), 11), ('c', [])]),
            new MilterAct.Say([('h', ScriptedMilter.Texts("X", new string('x', 20_001))), ('c', [])]),
            new MilterAct.Say([.. Enumerable.Repeat(('b', piece), 5), ('c', [])]),
        ];
        foreach (MilterAct act in acts)
        {
            ScriptedMilter filter = new();
            filter.At('E', act);
            await using MilterRig rig = new(options => options with { MaxChanges = 10 }, filter);
            Assert.Equal(451, (await rig.SendOneAsync()).Code);
            Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
        }
        ScriptedMilter within = new();
        within.At('E', new MilterAct.Say([.. Enumerable.Repeat(('h', ScriptedMilter.Texts("X", "1")), 10), .. Enumerable.Repeat(('b', piece), 4), ('c', [])]));
        await using MilterRig good = new(options => options with { MaxChanges = 10 }, within);
        Assert.Equal(250, (await good.SendOneAsync()).Code);
    }

    [Theory]
    [InlineData(2, "O 2 3f 7f|C|H|M|R|L|N|B|E|Q")]
    [InlineData(3, "O 3 3f 17f|C|H|M|R|L|N|B|E|U|Q")]
    [InlineData(4, "O 4 3f 37f|C|H|M|R|T|L|N|B|E|U|Q")]
    [InlineData(5, "O 5 3f 37f|C|H|M|R|T|L|N|B|E|U|Q")]
    [InlineData(6, "O 6 1ff 1fffff|C|H|M|R|T|L|N|B|E|U|K")]
    public async Task Older_versions_hear_what_they_know(int version, string expected)
    {
        ScriptedMilter filter = new() { Version = version, Actions = version < 6 ? 0x3F : 0x1FF };
        await using MilterRig rig = new(options => options with { Version = version }, filter);
        await rig.OpenAsync();
        Assert.Equal(250, (await rig.SendAsync("A: 1\n\nx\n")).Code);
        await rig.Policy.UnknownAsync("FOO"u8.ToArray(), default);
        await rig.EndAsync();
        Assert.Equal(expected, string.Join('|', filter.Heard.Select(word => word[0] == 'O' ? word : word[..1])));
    }

    [Fact]
    public async Task A_filter_of_version_2_is_answered_in_its_own_way_when_6_is_offered()
    {
        ScriptedMilter filter = new() { Version = 2, Actions = 0x3F };
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync("A: 1\n\nx\n")).Code);
        await rig.EndAsync();
        Assert.Equal("O C H M R L N B E Q", string.Join(' ', filter.Heard.Select(word => word[0])));
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(7, 0)]
    [InlineData(6, 0x200)]
    public async Task Terms_that_were_not_offered_are_no_terms(int version, int extra)
    {
        ScriptedMilter filter = new() { Version = version, Actions = 0x1FF | extra };
        await using MilterRig rig = new(null, filter);
        Assert.Equal(451, (await rig.SendOneAsync()).Code);
    }

    [Fact]
    public async Task What_it_does_not_want_it_does_not_hear()
    {
        (int Step, char Command)[] steps = [(0x1, 'C'), (0x2, 'H'), (0x4, 'M'), (0x8, 'R'), (0x10, 'B'), (0x20, 'L'), (0x40, 'N'), (0x100, 'U'), (0x200, 'T')];
        foreach ((int step, char command) in steps)
        {
            ScriptedMilter filter = new() { Steps = step };
            await using MilterRig rig = new(null, filter);
            await rig.OpenAsync();
            Assert.Equal(250, (await rig.SendAsync("A: 1\n\nx\n")).Code);
            await rig.Policy.UnknownAsync("FOO"u8.ToArray(), default);
            await rig.EndAsync();
            Assert.Equal("OCHMRTLNBEUK".Replace(command.ToString(), "", StringComparison.Ordinal), string.Concat(filter.Heard.Select(word => word[0])));
        }
    }

    [Fact]
    public async Task What_it_does_not_answer_is_not_waited_for()
    {
        // All SMFIP_NR_ at once: the first answer is that to the end of the message.
        ScriptedMilter filter = new() { Steps = 0xFF080 };
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync("A: 1\nB: 2\n\n" + string.Concat(Enumerable.Repeat(new string('x', 99) + "\n", 2000)))).Code);
        await rig.EndAsync();
        Assert.Equal("OCHMRTLLNBBBBEK", string.Concat(filter.Heard.Select(word => word[0])));
    }

    [Fact]
    public async Task A_connection_serves_one_client_after_the_other()
    {
        ScriptedMilter filter = new();
        await using MilterRig rig = new(null, filter);
        for (int i = 0; i < 3; i++) Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Equal((1, 1, 1), (rig.Dialled, filter.ConnectionCount, rig.Pool.Count));
        await rig.EndAsync();
        Assert.Equal("OCHMRTLLLLNBEKCHMRTLLLLNBEKCHMRTLLLLNBEK", string.Concat(filter.Heard.Select(word => word[0])));
    }

    [Theory]
    [InlineData('E', 'a')]
    [InlineData('E', 'r')]
    [InlineData('E', 'd')]
    [InlineData('R', 'r')]
    public async Task After_anything_but_continue_a_connection_is_closed_since_libmilter_would_not_hear_of_the_next_client(char stage, char answer)
    {
        ScriptedMilter filter = new();
        filter.At(stage, new MilterAct.Say((answer, [])));
        await using MilterRig rig = new(null, filter);
        await rig.SendOneAsync();
        Assert.Equal(0, rig.Pool.Count);
        await rig.EndAsync();
        Assert.Equal("Q", filter.Heard[^1]);
    }

    [Fact]
    public async Task A_connection_that_the_filter_closes_meanwhile_is_not_used_again()
    {
        ScriptedMilter filter = new();
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        filter.HangUp();
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        Assert.Equal(2, rig.Dialled);
    }

    [Fact]
    public async Task No_more_connections_wait_than_may()
    {
        ScriptedMilter filter = new();
        await using MilterRig rig = new(options => options with { MaxIdle = 2 }, filter);
        List<SessionPolicy> sessions = [];
        for (int i = 0; i < 4; i++)
        {
            SessionPolicy policy = new(rig.Rig.Transport, rig.Rig.Transport.OpenChecks(rig.Client), false);
            sessions.Add(policy);
            Assert.Null(await policy.ConnectAsync(default));
            Assert.Equal(250, (await rig.SendAsync(policy)).Code);
        }
        foreach (SessionPolicy policy in sessions) await policy.DisposeAsync();
        Assert.Equal((4, 2), (rig.Dialled, rig.Pool.Count));
    }

    [Fact]
    public async Task A_transaction_that_ends_early_is_taken_back()
    {
        ScriptedMilter filter = new();
        await using MilterRig rig = new(null, filter);
        await rig.OpenAsync();
        await rig.Policy.SenderAsync(rig.Rig.Envelope(rig.Client, "eve@example.net"), default);
        await rig.Policy.EndAsync(default);
        Assert.Equal(250, (await rig.SendAsync()).Code);
        await rig.Policy.SenderAsync(rig.Rig.Envelope(rig.Client, "eve@example.net"), default);
        await rig.EndAsync();
        Assert.Equal("OCHMAMRTLLLLNBEMAQ", string.Concat(filter.Heard.Select(word => word[0])));
    }

    [Fact]
    public async Task Macros_say_who_and_what()
    {
        ScriptedMilter filter = new();
        await using MilterRig rig = new(null, filter);
        rig.Client = rig.Client with
        {
            Tls = new(System.Security.Authentication.SslProtocols.Tls13, System.Net.Security.TlsCipherSuite.TLS_AES_256_GCM_SHA384, 256, null), Account = rig.Rig.Ann, Mechanism = "PLAIN",
        };
        Assert.Equal(250, (await rig.SendOneAsync(from: "ann@example.org", mail: "From: ann@example.org\n\nx\n")).Code);
        Dictionary<string, string> expected = new()
        {
            ["j"] = "mail.example.org", ["{daemon_name}"] = "mail.example.org", ["{daemon_addr}"] = "192.0.2.1", ["{daemon_port}"] = "25", ["_"] = "client.example.net [198.51.100.7]",
            ["{client_name}"] = "client.example.net", ["{client_addr}"] = "198.51.100.7", ["{client_port}"] = "2525", ["{client_ptr}"] = "client.example.net", ["{client_connections}"] = "3",
            ["{tls_version}"] = "TLSv1.3", ["{cipher}"] = "TLS_AES_256_GCM_SHA384", ["{cipher_bits}"] = "256", ["{auth_type}"] = "PLAIN", ["{auth_authen}"] = "ann@example.org",
            ["{mail_addr}"] = "ann@example.org", ["{mail_host}"] = "example.org", ["{mail_mailer}"] = "local", ["{rcpt_addr}"] = "ann@example.org", ["{rcpt_host}"] = "example.org", ["{rcpt_mailer}"] = "local",
        };
        foreach ((string name, string value) in expected) Assert.Equal((name, value), (name, filter.MacroValues.GetValueOrDefault(name)));
        Assert.StartsWith("Posthorn ", filter.MacroValues["v"], StringComparison.Ordinal);
        Assert.Equal(11, filter.MacroValues["i"].Length);
    }

    [Fact]
    public async Task A_filter_chooses_its_macros()
    {
        ScriptedMilter filter = new() { HearsMacros = true, Macros = new Dictionary<int, string> { [0] = "{client_resolve}", [2] = "", [5] = "i, {nrcpts} {unknown}" } };
        await using MilterRig rig = new(null, filter);
        Assert.Equal(250, (await rig.SendOneAsync()).Code);
        await rig.EndAsync();
        string[] macros = [.. filter.Heard.Where(word => word[0] == 'D').Select(word => word.Split('=')[0])];
        Assert.Equal(["D(C) {client_resolve}", "D(R) i", "D(R) {rcpt_addr}", "D(R) {rcpt_host}", "D(R) {rcpt_mailer}", "D(T) i", "D(N) i", "D(E) i", "D(E) {nrcpts}"], macros);
    }

    private static MilterAct Trouble(string what) => what switch
    {
        "close" => new MilterAct.Close(),
        "hang" => new MilterAct.Hang(),
        "zero length" => new MilterAct.Raw([0, 0, 0, 0]),
        "huge length" => new MilterAct.Raw([0x7F, 0xFF, 0xFF, 0xFF, (byte)'c']),
        "half a packet" => new MilterAct.Raw([0, 0, 0, 9, (byte)'c']),
        "unknown command" => new MilterAct.Say(('z', [1, 2])),
        _ => new MilterAct.Say(('h', ScriptedMilter.Texts("X", "1")), ('c', [])),
    };
}
