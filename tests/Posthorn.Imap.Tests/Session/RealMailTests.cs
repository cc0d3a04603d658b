using System.Globalization;
using System.Text;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Session;

/// <summary>Real messages go in by APPEND and come back the same; every item and section of them is answered.</summary>
public sealed class RealMailTests
{
    [Fact]
    public async Task Every_message_comes_back_the_same()
    {
        List<byte[]> messages = Load();
        Assert.True(messages.Count > 100, $"only {messages.Count} messages were found");
        await using ImapHost host = new();
        await host.GivenAsync("selected INBOX");
        MemoryChannel channel = host.Connect(ReadSplit.Random(1), 8 * 1024 * 1024);
        Wire wire = new(channel);
        for (int i = 0; i < messages.Count; i++)
        {
            await channel.SendAsync(Encoding.ASCII.GetBytes($"a APPEND INBOX {{{messages[i].Length}+}}\r\n"), default);
            await channel.SendAsync(messages[i], default);
            await channel.SendAsync("\r\n"u8.ToArray(), default);
            Assert.StartsWith("a OK [APPENDUID", await wire.FinishAsync("a "), StringComparison.Ordinal);
        }
        for (int i = 0; i < messages.Count; i++)
        {
            await channel.SendAsync(Encoding.ASCII.GetBytes($"b FETCH {i + 1} (RFC822.SIZE BODY.PEEK[])\r\n"), default);
            await wire.FinishAsync("b ");
            Assert.Contains($"RFC822.SIZE {messages[i].Length} ", wire.Text, StringComparison.Ordinal);
            Assert.Equal(messages[i], Assert.Single(wire.Literals));
            await channel.SendAsync(Encoding.ASCII.GetBytes(
                $"c FETCH {i + 1} (ENVELOPE BODY BODYSTRUCTURE PREVIEW BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[HEADER.FIELDS.NOT (Subject)] BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2] BODY.PEEK[2.1] BODY.PEEK[2.HEADER] BODY.PEEK[1.1.1])\r\n"), default);
            Assert.StartsWith("c OK", await wire.FinishAsync("c "), StringComparison.Ordinal);
            Assert.Equal(0, Depth(wire.Text));
        }
        foreach (string command in (string[])["SORT (SUBJECT DATE FROM) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "SEARCH CHARSET UTF-8 TEXT mail SENTSINCE 1-Jan-1990"])
        {
            await channel.SendAsync(Encoding.ASCII.GetBytes($"d {command}\r\n"), default);
            Assert.StartsWith("d OK", await wire.FinishAsync("d "), StringComparison.Ordinal);
        }
        await channel.DisposeAsync();
    }

    // Brackets outside of strings must match, whatever the mail holds.
    private static int Depth(string text)
    {
        int depth = 0;
        bool quoted = false;
        for (int i = 0; i < text.Length; i++)
        {
            if (quoted && text[i] == '\\') i++;
            else if (text[i] == '"') quoted = !quoted;
            else if (!quoted) depth += text[i] switch { '(' => 1, ')' => -1, _ => 0 };
        }
        return quoted ? -1 : depth;
    }

    private static List<byte[]> Load()
    {
        string root = SharedFolder.Require("mail");
        List<byte[]> messages = [];
        foreach (string path in System.IO.Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string text = Encoding.Latin1.GetString(File.ReadAllBytes(path));
            if (path.EndsWith(".md", StringComparison.Ordinal) || path.EndsWith(".txt", StringComparison.Ordinal) && !text.Contains("\nSubject:", StringComparison.Ordinal)) continue;
            string[] parts = text.StartsWith("From ", StringComparison.Ordinal) ? ("\n" + text).Split("\nFrom ")[1..].Select(p => p[(p.IndexOf('\n', StringComparison.Ordinal) + 1)..]).ToArray() : [text];
            messages.AddRange(parts.Where(p => p.Length > 0).Select(p => Encoding.Latin1.GetBytes(p.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal))));
        }
        return messages;
    }

    /// <summary>Takes answers apart: text, and literals by themselves.</summary>
    private sealed class Wire(MemoryChannel channel)
    {
        private byte[] _buffer = new byte[1 << 16];
        private int _start, _end;

        public string Text { get; private set; } = "";
        public List<byte[]> Literals { get; } = [];

        public async Task<string> FinishAsync(string tag)
        {
            StringBuilder text = new();
            Literals.Clear();
            while (true)
            {
                string line = Encoding.Latin1.GetString(await TakeAsync(await FindAsync()));
                if (line.StartsWith(tag, StringComparison.Ordinal))
                {
                    Text = text.ToString();
                    return line;
                }
                text.Append(line);
                if (line.EndsWith("}\r\n", StringComparison.Ordinal) && line.LastIndexOf('{') is > 0 and int open)
                    Literals.Add(await TakeAsync(int.Parse(line.AsSpan(open + 1, line.Length - open - 4), CultureInfo.InvariantCulture)));
            }
        }

        private async Task<int> FindAsync()
        {
            int at;
            while ((at = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n')) < 0) await FillAsync();
            return at + 1;
        }

        private async Task<byte[]> TakeAsync(int count)
        {
            while (_end - _start < count) await FillAsync();
            byte[] taken = _buffer.AsSpan(_start, count).ToArray();
            _start += count;
            return taken;
        }

        private async Task FillAsync()
        {
            if (_start > 0)
            {
                _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                (_start, _end) = (0, _end - _start);
            }
            if (_end == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
            int read = await channel.ReceiveAsync(_buffer.AsMemory(_end), default);
            if (read == 0) throw new IOException("The server closed.");
            _end += read;
        }
    }
}
