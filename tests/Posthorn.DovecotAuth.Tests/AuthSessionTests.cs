using System.Net;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Directory.Sasl;
using Posthorn.Testing;
using Posthorn.Testing.Fuzzing;

namespace Posthorn.DovecotAuth.Tests;

/// <summary>Conversations of Dovecot's authentication protocol.</summary>
public sealed class AuthSessionTests
{
    private static readonly string Good = Plain("ann", "nna");
    private static readonly string Wrong = Plain("ann", "x");

    [Fact]
    public async Task The_greeting_says_version_mechanisms_and_that_it_is_done()
    {
        string[] lines = await SayAsync(new AuthHost(), "VERSION\t1\t1\nCPID\t7\n");
        Assert.Equal("VERSION\t1\t2", lines[0]);
        Assert.Equal("MECH\tPLAIN\tplaintext", lines[1]);
        Assert.Equal("MECH\tLOGIN\tplaintext", lines[2]);
        Assert.Equal($"SPID\t{Environment.ProcessId}", lines[3]);
        Assert.Equal("CUID\t1", lines[4]);
        Assert.Matches("^COOKIE\t[0-9a-f]{32}$", lines[5]);
        Assert.Equal("DONE", lines[6]);
        Assert.Equal(7, lines.Length);
    }

    [Theory]
    [InlineData("PLAIN", true, "OK\t1\tuser=ann@example.org")]
    [InlineData("PLAIN", false, "FAIL\t1\tuser=ann")]
    public async Task A_password_is_right_or_wrong(string mechanism, bool right, string answer)
    {
        string[] lines = await SayAsync(new AuthHost(), $"AUTH\t1\t{mechanism}\tservice=smtp\tnologin\tlip=192.0.2.1\trip=192.0.2.7\tsecured\tresp={(right ? Good : Wrong)}\n");
        Assert.Equal(answer, lines[^1]);
    }

    [Fact]
    public async Task Login_asks_for_name_and_password_and_several_exchanges_go_side_by_side()
    {
        string[] lines = await SayAsync(new AuthHost(), "AUTH\t1\tLOGIN\tservice=smtp\tsecured\nAUTH\t2\tLOGIN\tservice=smtp\tsecured\n"
            + $"CONT\t1\t{Base64("ann")}\nCONT\t2\t{Base64("bob")}\nCONT\t2\t{Base64("bob")}\nCONT\t1\t{Base64("nna")}\n");
        Assert.Equal(
        [
            $"CONT\t1\t{Base64("Username:")}", $"CONT\t2\t{Base64("Username:")}", $"CONT\t1\t{Base64("Password:")}", $"CONT\t2\t{Base64("Password:")}",
            "OK\t2\tuser=bob@example.org", "OK\t1\tuser=ann@example.org",
        ], lines[7..]);
    }

    [Fact]
    public async Task Without_TLS_a_stranger_may_not_send_a_password()
    {
        AuthHost host = new();
        host.Fake.TrustsEveryNetwork = false;
        string[] lines = await SayAsync(host, $"AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.7\tresp={Good}\nAUTH\t2\tPLAIN\tservice=smtp\trip=192.0.2.7\tsecured=tls\tresp={Good}\n");
        Assert.Equal(["FAIL\t1\treason=Passwords are not taken without TLS", "OK\t2\tuser=ann@example.org"], lines[7..]);
    }

    [Fact]
    public async Task What_cannot_be_checked_now_is_temporary_and_unknown_mechanisms_fail()
    {
        string[] lines = await SayAsync(new AuthHost(), $"AUTH\t1\tPLAIN\tservice=smtp\tsecured\tresp={Plain("broken", "x")}\nAUTH\t2\tGSSAPI\tservice=smtp\tsecured\n");
        Assert.Equal("FAIL\t1\tuser=broken\ttemp\tcode=temp_fail\treason=The directory cannot be asked now", lines[7]);
        Assert.Equal("FAIL\t2\treason=Unsupported authentication mechanism", lines[8]);
    }

    [Fact]
    public async Task A_cancelled_exchange_is_forgotten_and_its_number_free()
    {
        string[] lines = await SayAsync(new AuthHost(), $"AUTH\t1\tLOGIN\tservice=smtp\tsecured\nCANCEL\t1\nCONT\t1\t{Base64("ann")}\nAUTH\t1\tPLAIN\tservice=smtp\tsecured\tresp={Good}\n");
        Assert.Equal([$"CONT\t1\t{Base64("Username:")}", "OK\t1\tuser=ann@example.org"], lines[7..]);
    }

    [Fact]
    public async Task Exchanges_at_once_are_limited()
    {
        AuthHost host = new() { Options = new() { MaxPending = 1 } };
        string[] lines = await SayAsync(host, "AUTH\t1\tLOGIN\tservice=smtp\tsecured\nAUTH\t2\tLOGIN\tservice=smtp\tsecured\n");
        Assert.Equal("FAIL\t2\ttemp\tcode=temp_fail\treason=Too many authentications at once", lines[^1]);
    }

    [Theory]
    [InlineData("VERSION\t2\t0\n")]
    [InlineData("AUTH\tx\tPLAIN\tservice=smtp\n")]
    [InlineData("AUTH\t1\tPLAIN\n")]
    public async Task Who_does_not_speak_the_protocol_is_cut_off(string input)
    {
        string[] lines = await SayAsync(new AuthHost(), input + $"AUTH\t9\tPLAIN\tservice=smtp\tsecured\tresp={Good}\n");
        Assert.Equal(7, lines.Length);
    }

    // One connection carries the logins of all of a mail server's clients: nonsense from one of them must not end those of the others.
    [Theory]
    [InlineData("AUTH\t1\tPLAIN\tservice=smtp\tsecured\tresp=!\n", "FAIL\t1\treason=Invalid base64 data in initial response")]
    [InlineData("AUTH\t1\tPLAIN\tservice=smtp\tsecured\trip=x\n", "FAIL\t1\treason=Invalid rip")]
    [InlineData("AUTH\t1\tLOGIN\tservice=smtp\tsecured\nCONT\t1\t!\n", "FAIL\t1\treason=Invalid base64 data in continued response")]
    [InlineData("AUTH\t1\tPLAIN\tservice=smtp\tsecured\tresp==\n", "FAIL\t1\treason=")]
    public async Task A_bad_response_fails_its_own_login_and_no_other(string input, string answer)
    {
        string[] lines = await SayAsync(new AuthHost(), input + $"AUTH\t9\tPLAIN\tservice=smtp\tsecured\tresp={Good}\n");
        Assert.StartsWith(answer, lines[^2], StringComparison.Ordinal);
        Assert.Equal("OK\t9\tuser=ann@example.org", lines[^1]);
    }

    [Fact]
    public async Task Nonsense_counts_by_the_address_from_which_it_comes()
    {
        using TemporaryFolder folder = new();
        AuthHost host = new();
        using MailDirectory directory = new(new()
        {
            Domains = [new() { Name = DomainName.Create("example.org") }], PasswdFile = folder.Write("users", "ann@example.org:{PLAIN}nna::::::\n"),
            MailHomeTemplate = "/nonexistent/{localpart}", MailLocationTemplate = "maildir:/nonexistent/{localpart}", FailureRate = new(3, TimeSpan.FromMinutes(10)),
        }, host.Time, NullLogger.Instance);
        host.Directory = directory;
        string login = $"PLAIN\tservice=smtp\tsecured\tresp={Good}";
        string[] lines = await SayAsync(host, "AUTH\t1\tPLAIN\tservice=smtp\tsecured\trip=192.0.2.7\tresp=!\nAUTH\t2\tLOGIN\tservice=smtp\tsecured\trip=192.0.2.7\nCONT\t2\t!\n"
            + $"AUTH\t3\tPLAIN\tservice=smtp\tsecured\trip=192.0.2.7\tresp=eA==\nAUTH\t4\tPLAIN\tservice=smtp\tsecured\trip=192.0.2.7\tresp=!\nAUTH\t5\t{login}\trip=192.0.2.7\nAUTH\t6\t{login}\trip=192.0.2.8\n");
        Assert.Contains("FAIL\t1\treason=Invalid base64 data in initial response", lines);
        Assert.Contains(lines, line => line.StartsWith("FAIL\t4\ttemp\t", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("FAIL\t5\t", StringComparison.Ordinal) && line.Contains("\ttemp\t", StringComparison.Ordinal));
        Assert.Contains("OK\t6\tuser=ann@example.org", lines);
    }

    [Fact]
    public async Task While_one_waits_for_its_refusal_others_log_in()
    {
        await using AuthHost host = new() { Options = new() { MaxPending = 2 } };
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        await ReadAsync(channel, "DONE\n");
        Task waits = host.Time.NextTimerAsync();
        await SendAsync(channel, $"AUTH\t1\tPLAIN\tservice=smtp\tsecured\tresp={Wrong}\n");
        await waits.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        host.Time.Advance(TimeSpan.FromSeconds(1));
        await SendAsync(channel, $"AUTH\t2\tPLAIN\tservice=smtp\tsecured\tresp={Good}\n");
        Assert.Equal("OK\t2\tuser=ann@example.org\n", await ReadAsync(channel, "\n"));
        await SendAsync(channel, $"AUTH\t3\tPLAIN\tservice=smtp\tsecured\tresp={Wrong}\nAUTH\t4\tPLAIN\tservice=smtp\tsecured\tresp={Good}\n");
        Assert.Equal("FAIL\t4\ttemp\tcode=temp_fail\treason=Too many authentications at once\n", await ReadAsync(channel, "\n"));
        host.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("FAIL\t1\tuser=ann\n", await ReadAsync(channel, "\n"));
        host.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("FAIL\t3\tuser=ann\n", await ReadAsync(channel, "\n"));
    }

    [Fact]
    public async Task A_line_over_the_limit_ends_the_connection()
    {
        AuthHost host = new() { Options = new() { MaxLine = 100 } };
        string[] lines = await SayAsync(host, $"AUTH\t1\tPLAIN\tservice={new string('s', 100)}\tsecured\tresp={Good}\nAUTH\t2\tPLAIN\tservice=smtp\tsecured\tresp={Good}\n");
        Assert.Equal(7, lines.Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Scram_proves_both_sides(bool finalInOk)
    {
        using TemporaryFolder folder = new();
        string users = Path.Combine(folder.Path, "users");
        await File.WriteAllTextAsync(users, "ann@example.org:{PLAIN}secret\n", TestContext.Current.CancellationToken);
        AuthHost host = new();
        using MailDirectory directory = new(new()
        {
            Domains = [new() { Name = DomainName.Create("example.org") }], PasswdFile = users, MailHomeTemplate = "/srv/{localpart}", MailLocationTemplate = "maildir:/srv/{localpart}",
        }, host.Time, NullLogger.Instance);
        host.Directory = directory;
        await using (host)
        {
            MemoryChannel channel = host.Connect(ReadSplit.Whole);
            Assert.Contains("MECH\tSCRAM-SHA-256\tmutual-auth\n", await ReadAsync(channel, "DONE\n"), StringComparison.Ordinal);
            SaslClient client = SaslClient.Choose(["SCRAM-SHA-256"], ["SCRAM-SHA-256"], "ann@example.org", "secret")!;
            await SendAsync(channel, $"AUTH\t1\tSCRAM-SHA-256\tservice=smtp\trip=192.0.2.7{(finalInOk ? "\tfinal-resp-ok" : "")}\tresp={Convert.ToBase64String(client.Initial()!)}\n");
            string challenge = (await ReadAsync(channel, "\n")).TrimEnd().Split('\t')[2];
            await SendAsync(channel, $"CONT\t1\t{Convert.ToBase64String(client.Respond(Convert.FromBase64String(challenge))!)}\n");
            string answer = (await ReadAsync(channel, "\n")).TrimEnd();
            Assert.StartsWith(finalInOk ? "OK\t1\tuser=ann@example.org\tresp=" : "CONT\t1\t", answer, StringComparison.Ordinal);
            string final = finalInOk ? answer.Split('\t')[3]["resp=".Length..] : answer.Split('\t')[2];
            client.Respond(Convert.FromBase64String(final));
            Assert.True(client.MaySucceed);
            if (finalInOk) return;
            await SendAsync(channel, "CONT\t1\t\n");
            Assert.Equal("OK\t1\tuser=ann@example.org\n", await ReadAsync(channel, "\n"));
        }
    }

    private static readonly string[] Corpus =
    [
        "VERSION\t1\t1\n", "CPID\t12\n", $"AUTH\t1\tPLAIN\tservice=smtp\tnologin\trip=192.0.2.1\tsecured\tresp={Good}\n", $"AUTH\t2\tPLAIN\tservice=smtp\tsecured\tresp={Wrong}\n",
        "AUTH\t3\tLOGIN\tservice=smtp\tsecured\n", $"CONT\t3\t{Base64("ann")}\n", $"CONT\t3\t{Base64("nna")}\n", "CANCEL\t3\n", "AUTH\t4\tPLAIN\tservice=sm\x01ttp\tsecured\tresp=\n", "CONT\n", "\n", "AUTH\n",
    ];

    [Fact]
    public Task Any_bytes_are_survived_however_they_are_split() => WireFuzz.Inputs(Corpus).SampleAsync(
        async sample =>
        {
            string whole = await AnswerAsync(sample.Input, ReadSplit.Whole);
            Assert.Equal(whole, await AnswerAsync(sample.Input, ReadSplit.Random(sample.Seed)));
            Assert.InRange(whole.Length, 0, 1000 + 200 * sample.Input.Length);
        },
        iter: 500, threads: 1);

    private static async Task<string> AnswerAsync(byte[] input, ReadSplit split)
    {
        await using AuthHost host = new();
        string answer = await WireFuzz.AnswerAsync(host, input, split);
        int cookie = answer.IndexOf("COOKIE\t", StringComparison.Ordinal);
        return answer.Remove(cookie, "COOKIE\t".Length + 32);
    }

    private static async Task<string[]> SayAsync(AuthHost host, string input)
    {
        await using (host) return (await WireFuzz.AnswerAsync(host, Encoding.UTF8.GetBytes(input), ReadSplit.Whole)).TrimEnd('\n').Split('\n');
    }

    private static ValueTask SendAsync(MemoryChannel channel, string text) => channel.SendAsync(Encoding.UTF8.GetBytes(text), TestContext.Current.CancellationToken);

    private static async Task<string> ReadAsync(MemoryChannel channel, string end)
    {
        StringBuilder text = new();
        byte[] buffer = new byte[4096];
        while (!text.ToString().EndsWith(end, StringComparison.Ordinal))
        {
            int read = await channel.ReceiveAsync(buffer, TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            if (read == 0) break;
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }
        return text.ToString();
    }

    private static string Plain(string name, string password) => Base64($"\0{name}\0{password}");

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
