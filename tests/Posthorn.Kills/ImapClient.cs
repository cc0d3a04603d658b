using System.Globalization;
using System.Text;

namespace Posthorn.Kills;

/// <summary>A line of the server, with the literals in it (in the text each stands as <c>{n}</c>).</summary>
internal sealed record ImapLine(string Text, IReadOnlyList<byte[]> Literals);

/// <summary>The answer to a command: the lines before it, and the tagged one without its tag.</summary>
internal sealed record ImapAnswer(string Text, IReadOnlyList<ImapLine> Lines)
{
    public bool IsOk => Text.StartsWith("OK", StringComparison.Ordinal);

    /// <summary>The words of a response code such as <c>APPENDUID</c>, in the tagged line or an untagged one; null when there is none.</summary>
    public string[]? Code(string name)
    {
        foreach (string line in (IEnumerable<string>)[Text, .. Lines.Select(l => l.Text)])
        {
            int at = line.IndexOf($"[{name} ", StringComparison.Ordinal);
            if (at >= 0) return line[(at + name.Length + 2)..line.IndexOf(']', at)].Split(' ');
        }
        return null;
    }
}

/// <summary>Just enough of an IMAP client. A lost connection is an <see cref="IOException"/>.</summary>
internal sealed class ImapClient : IAsyncDisposable
{
    private readonly RawClient _wire;
    private int _tag;

    private ImapClient(RawClient wire) => _wire = wire;

    public static async Task<ImapClient> LogInAsync(int port, ServerAccount account)
    {
        ImapClient client = new(await RawClient.ConnectAsync(port));
        try
        {
            await client.LineAsync();
            ImapAnswer login = await client.AskAsync($"LOGIN {account.Login} {account.Password}");
            if (!login.IsOk) throw new IOException(login.Text);
            return client;
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    public async Task<ImapAnswer> AskAsync(string command)
    {
        await SendAsync(command, []);
        return await AnswerAsync();
    }

    /// <summary>Sends a command whose literals (each behind a text) do not wait for leave; answers come in order.</summary>
    public async Task SendAsync(string command, IEnumerable<(string Before, byte[] Literal)> literals)
    {
        using MemoryStream bytes = new();
        bytes.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"k{++_tag} {command}")));
        foreach ((string before, byte[] literal) in literals)
        {
            bytes.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{before}{{{literal.Length}+}}\r\n")));
            bytes.Write(literal);
        }
        bytes.Write("\r\n"u8);
        await _wire.SendAsync(bytes.ToArray());
    }

    /// <summary>Reads on to the next tagged line.</summary>
    public async Task<ImapAnswer> AnswerAsync()
    {
        List<ImapLine> lines = [];
        while (true)
        {
            ImapLine line = await LineAsync();
            if (line.Text[0] == 'k') return new(line.Text[(line.Text.IndexOf(' ', StringComparison.Ordinal) + 1)..], lines);
            lines.Add(line);
        }
    }

    private async Task<ImapLine> LineAsync()
    {
        StringBuilder text = new();
        List<byte[]> literals = [];
        while (true)
        {
            string part = await _wire.LineAsync() ?? throw new IOException("The server is gone.");
            text.Append(part);
            int open = part.LastIndexOf('{');
            if (!part.EndsWith('}') || open < 0 || !int.TryParse(part.AsSpan(open + 1, part.Length - open - 2), CultureInfo.InvariantCulture, out int octets)) break;
            literals.Add(await _wire.BytesAsync(octets));
        }
        if (text.Length == 0 || text.ToString().StartsWith("* BYE", StringComparison.Ordinal)) throw new IOException($"The server ends: {text}");
        return new(text.ToString(), literals);
    }

    /// <summary>The numbers of a set such as <c>3:5,9</c>, in its order.</summary>
    public static List<uint> Numbers(string set)
    {
        List<uint> numbers = [];
        foreach (string part in set.Split(','))
        {
            string[] ends = part.Split(':');
            uint first = uint.Parse(ends[0], CultureInfo.InvariantCulture), last = uint.Parse(ends[^1], CultureInfo.InvariantCulture);
            for (uint n = first; n <= last; n++) numbers.Add(n);
        }
        return numbers;
    }

    /// <summary>The UID in a FETCH line.</summary>
    public static uint UidOf(string fetch)
    {
        int at = fetch.IndexOf("UID ", StringComparison.Ordinal) + 4;
        int end = at;
        while (end < fetch.Length && char.IsAsciiDigit(fetch[end])) end++;
        return uint.Parse(fetch.AsSpan(at, end - at), CultureInfo.InvariantCulture);
    }

    public ValueTask DisposeAsync() => _wire.DisposeAsync();
}
