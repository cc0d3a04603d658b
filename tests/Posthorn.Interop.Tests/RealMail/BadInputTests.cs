using System.Diagnostics;
using System.Globalization;
using System.Text;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.RealMail;

/// <summary>Peers that send nonsense: a clear reply or a closed connection, bounded memory, other sessions unhurt.</summary>
public sealed class BadInputTests
{
    [Fact]
    public async Task Smtp_survives_what_peers_may_send()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        int port = server.Port("smtp");
        await ExpectAsync(port, new string('x', 200_000) + "\r\n", "500");
        await ExpectAsync(port, "EHLO a\0b\r\n", "5");
        await ExpectAsync(port, "DATA\r\n", "503");
        await ExpectAsync(port, "RCPT TO:<ann@posthorn.test>\r\n", "503");
        await ExpectAsync(port, "MAIL FROM:<" + new string('a', 3000) + "@example.org>\r\n", "50");
        await ExpectAsync(port, "\u00ff\u00fe\u00fd\r\n", "5");
        await ExpectAsync(port, string.Concat(Enumerable.Repeat("XYZZY\r\n", 100_000)), "500");
        await AssertAliveAsync(server);
    }

    [Fact]
    public async Task Submission_survives_broken_base64()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        await using RawClient client = await RawClient.ConnectAsync(server.Port("submissions"));
        await client.StartTlsAsync();
        await client.ReplyAsync();
        await client.CommandAsync("EHLO a.example");
        Assert.StartsWith("501", await client.CommandAsync("AUTH PLAIN ####"), StringComparison.Ordinal);
        Assert.StartsWith("334", await client.CommandAsync("AUTH LOGIN"), StringComparison.Ordinal);
        Assert.StartsWith("501", await client.CommandAsync("=not base64="), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Imap_survives_what_clients_may_send()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        int port = server.Port("imap");
        await ExpectLineAsync(port, "a LOGIN {99999999999}\r\n", "a ");
        await ExpectLineAsync(port, "a " + new string('x', 500_000) + "\r\n", "");
        await ExpectLineAsync(port, "a NOOP \0\r\n", "a BAD");
        await ExpectLineAsync(port, "a SELECT INBOX\r\n", "a ");
        await ExpectLineAsync(port, "a FETCH 1 (FLAGS)\r\n", "a ");
        await ExpectLineAsync(port, "a AUTHENTICATE PLAIN ####\r\n", "a ");
        await ExpectLineAsync(port, "\r\n", "* BAD");
        await AssertAliveAsync(server);
    }

    [Fact]
    public async Task A_huge_literal_for_append_is_refused_in_words()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        await using RawClient imap = await LogInAsync(server);
        await imap.SendAsync("b APPEND INBOX {99999999999}\r\n");
        string? line = await imap.LineAsync();
        Assert.StartsWith("b ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("OK", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hundred_thousand_commands_in_one_packet_are_all_answered()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        await using RawClient imap = await LogInAsync(server);
        StringBuilder commands = new();
        for (int i = 0; i < 100_000; i++) commands.Append(CultureInfo.InvariantCulture, $"n{i} NOOP\r\n");
        Task sending = imap.SendAsync(commands.ToString());
        int told = 0;
        for (int i = 0; i < 100_000; i++)
        {
            string? line = await imap.LineAsync();
            if (line?.StartsWith("* OK [LIMIT]", StringComparison.Ordinal) == true)
            {
                told++;
                line = await imap.LineAsync();
            }
            Assert.True(line is not null && line.StartsWith($"n{i} OK", StringComparison.Ordinal), line);
        }
        await sending;
        Assert.InRange(told, 0, 1); // more than imap.commands-per-second are answered later; a slow machine takes no more than that
    }

    [Fact]
    public async Task A_client_that_stops_reading_costs_little_and_hurts_nobody()
    {
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        await using RawClient imap = await LogInAsync(server);
        string body = "Subject: big\r\n\r\n" + string.Concat(Enumerable.Repeat(new string('x', 70) + "\r\n", 50_000));
        await imap.SendAsync($"b APPEND INBOX {{{body.Length}+}}\r\n{body}\r\n");
        Assert.StartsWith("b OK", (await imap.TaggedAsync("b"))[^1], StringComparison.Ordinal);
        await imap.SendAsync("c SELECT INBOX\r\n");
        await imap.TaggedAsync("c");
        long before = Memory(server);
        StringBuilder fetches = new();
        for (int i = 0; i < 100; i++) fetches.Append(CultureInfo.InvariantCulture, $"f{i} FETCH 2 BODY.PEEK[]\r\n");
        await imap.SendAsync(fetches.ToString()); // 360 MB of answers that nobody reads
        await AssertAliveAsync(server);
        Assert.True(Memory(server) - before < 100 << 20, $"memory grew by {(Memory(server) - before) >> 20} MiB");
    }

    private static long Memory(PosthornProcess server)
    {
        using Process process = Process.GetProcessById(server.Id);
        return process.WorkingSet64;
    }

    // The greeting, then some reply that begins so; or the connection is closed.
    private static async Task ExpectAsync(int port, string input, string reply)
    {
        await using RawClient client = await RawClient.ConnectAsync(port);
        await client.ReplyAsync();
        try { await client.SendAsync(input); }
        catch (IOException) { return; }
        string answer = await client.ReplyAsync();
        Assert.True(answer.Length == 0 || answer.StartsWith(reply, StringComparison.Ordinal), $"{input[..Math.Min(40, input.Length)]}: {answer}");
    }

    private static async Task ExpectLineAsync(int port, string input, string start)
    {
        await using RawClient client = await RawClient.ConnectAsync(port);
        await client.LineAsync();
        try { await client.SendAsync(input); }
        catch (IOException) { return; }
        string? answer = await client.LineAsync();
        bool refused = answer is null || answer.StartsWith("* B", StringComparison.Ordinal)
            || (answer.StartsWith(start, StringComparison.Ordinal) && !answer.StartsWith("a OK", StringComparison.Ordinal));
        Assert.True(refused, $"{input[..Math.Min(40, input.Length)]}: {answer}");
    }

    private static async Task<RawClient> LogInAsync(PosthornProcess server)
    {
        RawClient imap = await RawClient.ConnectAsync(server.Port("imaps"));
        await imap.StartTlsAsync();
        await imap.LineAsync();
        await imap.SendAsync($"a LOGIN {server["ann"].Login} {server["ann"].Password}\r\n");
        Assert.StartsWith("a OK", (await imap.TaggedAsync("a"))[^1], StringComparison.Ordinal);
        return imap;
    }

    private static async Task AssertAliveAsync(PosthornProcess server) =>
        Assert.NotEmpty(await Mail.ReadAllAsync(server, server["bob"]));
}
