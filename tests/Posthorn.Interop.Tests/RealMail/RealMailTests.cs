using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.RealMail;

/// <summary>Real and odd messages in by SMTP, back by IMAP: every byte the same but for the trace lines; structure and every section answered.</summary>
public sealed partial class RealMailTests
{
    /// <summary>Text lines above this are refused, as docs/configuration.md says of limits.text-line.</summary>
    private const int LongestLine = 64 * 1024;

    [Fact]
    public async Task Every_message_comes_back_byte_by_byte_and_answers_every_section()
    {
        List<(string Name, byte[] Bytes)> corpus = Corpus(SharedFolder.Require("mail"));
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        List<(string Name, byte[] Bytes)> accepted = [];
        await using (RawClient smtp = await RawClient.ConnectAsync(server.Port("smtp")))
        {
            await smtp.ReplyAsync();
            await smtp.CommandAsync("EHLO client.example");
            foreach ((string name, byte[] bytes) in corpus)
            {
                string reply = await DeliverAsync(smtp, ann.Address, bytes);
                if (reply.StartsWith("250", StringComparison.Ordinal)) accepted.Add((name, bytes));
                else Assert.True(MayBeRefused(bytes, reply), $"{name}: {reply}");
            }
        }
        Assert.True(accepted.Count > 80, $"only {accepted.Count} of {corpus.Count} were accepted");

        await using RawClient imap = await LogInAsync(server, ann);
        for (int i = 0; i < accepted.Count; i++)
        {
            (string name, byte[] sent) = accepted[i];
            int number = i + 2; // after the welcome mail
            byte[] stored = await FetchLiteralAsync(imap, number, "BODY.PEEK[]");
            Assert.True(WithoutTrace(stored).AsSpan().SequenceEqual(sent), $"{name} came back changed");
            await FetchStructureAsync(imap, number, name, stored.Length);
        }
    }

    private static async Task FetchStructureAsync(RawClient imap, int number, string name, int size)
    {
        await imap.SendAsync($"s FETCH {number} (RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)\r\n");
        string answer = await CollectAsync(imap, "s", name);
        Assert.Contains($"RFC822.SIZE {size}", answer, StringComparison.Ordinal);
        Assert.Contains("ENVELOPE (", answer, StringComparison.Ordinal);
        Assert.Contains("BODYSTRUCTURE (", answer, StringComparison.Ordinal);
        foreach (string section in (string[])["HEADER", "TEXT", "1", "1.MIME", "2", "1.1", "1.TEXT", "2.HEADER", "HEADER.FIELDS (Subject From)"])
        {
            await imap.SendAsync($"s FETCH {number} (BODY.PEEK[{section}] BODY.PEEK[{section}]<10.20>)\r\n");
            await CollectAsync(imap, "s", $"{name} [{section}]");
        }
    }

    // Reads one answer, literals and all, and demands OK.
    private static async Task<string> CollectAsync(RawClient imap, string tag, string what)
    {
        StringBuilder all = new();
        while (await imap.LineAsync() is { } line)
        {
            if (line.StartsWith(tag + " ", StringComparison.Ordinal))
            {
                Assert.True(line.StartsWith(tag + " OK", StringComparison.Ordinal), $"{what}: {line}");
                return all.ToString();
            }
            all.Append(line);
            Match literal = Literal().Match(line);
            if (literal.Success) all.Append(Encoding.Latin1.GetString(await imap.BytesAsync(int.Parse(literal.Groups[1].Value, CultureInfo.InvariantCulture))));
        }
        Assert.Fail($"{what}: the server closed");
        return "";
    }

    private static async Task<byte[]> FetchLiteralAsync(RawClient imap, int number, string item)
    {
        await imap.SendAsync($"f FETCH {number} ({item})\r\n");
        string? line = await imap.LineAsync();
        Match literal = Literal().Match(line ?? "");
        Assert.True(literal.Success, line);
        byte[] bytes = await imap.BytesAsync(int.Parse(literal.Groups[1].Value, CultureInfo.InvariantCulture));
        await CollectAsync(imap, "f", item);
        return bytes;
    }

    private static async Task<RawClient> LogInAsync(PosthornProcess server, Account account)
    {
        RawClient imap = await RawClient.ConnectAsync(server.Port("imaps"));
        await imap.StartTlsAsync();
        await imap.LineAsync();
        await imap.SendAsync($"a LOGIN \"{account.Login}\" \"{account.Password}\"\r\nb SELECT INBOX\r\n");
        await imap.TaggedAsync("b");
        return imap;
    }

    private static async Task<string> DeliverAsync(RawClient smtp, string to, byte[] bytes)
    {
        await smtp.CommandAsync("MAIL FROM:<odd@elsewhere.example> BODY=8BITMIME");
        await smtp.CommandAsync($"RCPT TO:<{to}>");
        Assert.StartsWith("354", await smtp.CommandAsync("DATA"), StringComparison.Ordinal);
        string text = Encoding.Latin1.GetString(bytes);
        text = text.StartsWith('.') ? "." + text : text;
        await smtp.SendAsync(text.Replace("\r\n.", "\r\n..", StringComparison.Ordinal) + ".\r\n");
        return await smtp.ReplyAsync();
    }

    // What the server says it does not take: over-long lines, NUL and bare CR, several From fields.
    private static bool MayBeRefused(byte[] bytes, string reply)
    {
        string text = Encoding.Latin1.GetString(bytes);
        if (text.Split("\r\n").Any(l => l.Length > LongestLine)) return reply.StartsWith("550 5.6.0", StringComparison.Ordinal);
        if (text.Replace("\r\n", "", StringComparison.Ordinal).AsSpan().IndexOfAny('\r', '\0') >= 0) return reply.StartsWith("550 5.", StringComparison.Ordinal);
        return SeveralFrom().Count(text.Split("\r\n\r\n")[0] + "\r\n") > 1 && reply.StartsWith("550 5.7.1", StringComparison.Ordinal);
    }

    internal static List<(string Name, byte[] Bytes)> Corpus(string root)
    {
        List<(string, byte[])> corpus = [];
        foreach (string path in Folder.EnumerateFiles(root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (path.EndsWith("README.md", StringComparison.Ordinal)) continue;
            string text = Encoding.Latin1.GetString(File.ReadAllBytes(path));
            text = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal);
            string name = Path.GetRelativePath(root, path);
            string[] parts = path.EndsWith(".mbox", StringComparison.Ordinal) ? SplitMbox(text) : [text];
            for (int i = 0; i < parts.Length; i++)
                if (parts[i].Length > 0) corpus.Add(($"{name}#{i}", Encoding.Latin1.GetBytes(parts[i].EndsWith("\r\n", StringComparison.Ordinal) ? parts[i] : parts[i] + "\r\n")));
        }
        return corpus;
    }

    private static string[] SplitMbox(string text) =>
        [.. MboxStart().Split("\r\n" + text).Where(p => p.Length > 0)];

    // Everything after the last line that the server put before the message.
    private static byte[] WithoutTrace(byte[] stored)
    {
        string text = Encoding.Latin1.GetString(stored);
        Match trace = Trace().Match(text);
        return trace.Success ? stored[trace.Length..] : stored;
    }

    [GeneratedRegex(@"\{(\d+)\}$")]
    private static partial Regex Literal();

    [GeneratedRegex(@"^From:", RegexOptions.Multiline | RegexOptions.IgnoreCase)]
    private static partial Regex SeveralFrom();

    [GeneratedRegex(@"\r\nFrom [^\r\n]*\r\n")]
    private static partial Regex MboxStart();

    [GeneratedRegex(@"\AReturn-Path: <odd@elsewhere\.example>\r\n(?:Delivered-To: [^\r\n]+\r\n)?Received: from client\.example [^\r\n]+\r\n(?:[ \t][^\r\n]+\r\n)*")]
    private static partial Regex Trace();
}
