using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Session;

/// <summary>A client that believes what it is told and checks that it can: its view is made of responses alone.</summary>
internal sealed partial class Client(MemoryChannel channel)
{
    private readonly List<byte> _pending = [];
    private readonly byte[] _buffer = new byte[8192];
    private int _tags;

    /// <summary>UIDs by position; 0 where it was not told yet.</summary>
    public List<uint> Uids { get; } = [];

    /// <summary>Flags by UID, as told last, sorted and without <c>\Recent</c>.</summary>
    public Dictionary<uint, string> Flags { get; } = [];

    public bool IsIdling { get; private set; }

    public string Tag => $"t{_tags}";

    /// <summary>Sends a command.</summary>
    public async Task SendAsync(string command)
    {
        _tags++;
        await channel.SendAsync(Encoding.ASCII.GetBytes($"{Tag} {command}\r\n"), default);
    }

    /// <summary>Reads up to the end of the last command, believing all that comes; the completion.</summary>
    public async Task<string> FinishAsync(bool mayExpunge = true)
    {
        while (true)
        {
            string line = await ReadLineAsync();
            if (line.StartsWith(Tag + " ", StringComparison.Ordinal)) return line[(Tag.Length + 1)..];
            if (line.StartsWith("* BYE", StringComparison.Ordinal)) throw new IOException(line);
            Believe(line, mayExpunge);
        }
    }

    public async Task<string> SayAsync(string command, bool mayExpunge = true)
    {
        await SendAsync(command);
        return await FinishAsync(mayExpunge);
    }

    public async Task IdleAsync()
    {
        await SendAsync("IDLE");
        string line;
        while (!(line = await ReadLineAsync()).StartsWith("+ ", StringComparison.Ordinal)) Believe(line, true);
        IsIdling = true;
    }

    public async Task DoneAsync()
    {
        await channel.SendAsync("DONE\r\n"u8.ToArray(), default);
        IsIdling = false;
        await FinishAsync();
    }

    public async Task<string> ReadLineAsync()
    {
        while (true)
        {
            int at = _pending.IndexOf((byte)'\n');
            if (at >= 0)
            {
                string line = Encoding.UTF8.GetString([.. _pending[..at]]).TrimEnd('\r');
                _pending.RemoveRange(0, at + 1);
                return line;
            }
            int read = await channel.ReceiveAsync(_buffer, default);
            if (read == 0) throw new IOException("The server closed.");
            _pending.AddRange(_buffer.AsSpan(0, read));
        }
    }

    private void Believe(string line, bool mayExpunge)
    {
        if (line.StartsWith("* VANISHED ", StringComparison.Ordinal))
        {
            Assert.True(mayExpunge, "VANISHED where it may not be told");
            foreach (string range in line["* VANISHED ".Length..].Split(',')) Vanish([.. range.Split(':').Select(number => uint.Parse(number, CultureInfo.InvariantCulture))]);
            return;
        }

        Match match = Numbered().Match(line);
        if (!match.Success) return;
        int number = int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
        switch (match.Groups[2].Value)
        {
            case "EXISTS":
                Assert.True(number >= Uids.Count, $"EXISTS {number} takes messages away from {Uids.Count}");
                while (Uids.Count < number) Uids.Add(0);
                break;
            case "EXPUNGE":
                Assert.True(mayExpunge, "EXPUNGE where it may not be told");
                Assert.InRange(number, 1, Uids.Count);
                Uids.RemoveAt(number - 1);
                break;
            case "FETCH":
                Assert.InRange(number, 1, Uids.Count);
                Match uid = UidItem().Match(line);
                if (uid.Success)
                {
                    uint told = uint.Parse(uid.Groups[1].Value, CultureInfo.InvariantCulture);
                    Assert.True(Uids[number - 1] == 0 || Uids[number - 1] == told, $"message {number} was {Uids[number - 1]} and is {told}");
                    Uids[number - 1] = told;
                }
                Match flags = FlagsItem().Match(line);
                if (flags.Success && Uids[number - 1] != 0) Flags[Uids[number - 1]] = Normal(flags.Groups[1].Value);
                break;
        }
    }

    private void Vanish(uint[] range)
    {
        for (uint uid = range[0]; uid <= range[^1]; uid++)
        {
            int at = Uids.IndexOf(uid);
            // One of those whose UID was not told yet, between those with smaller and those with larger ones.
            if (at < 0) at = Uids.FindLastIndex(known => known != 0 && known < uid) + 1;
            Assert.True(at < Uids.Count && (Uids[at] == uid || Uids[at] == 0), $"{uid} vanishes, which was not here");
            Uids.RemoveAt(at);
        }
    }

    public static string Normal(string flags) =>
        string.Join(' ', flags.Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(f => f != "\\Recent").Order(StringComparer.Ordinal));

    [GeneratedRegex(@"^\* (\d+) (EXISTS|EXPUNGE|FETCH)")]
    private static partial Regex Numbered();

    [GeneratedRegex(@"\bUID (\d+)")]
    private static partial Regex UidItem();

    [GeneratedRegex(@"FLAGS \(([^)]*)\)")]
    private static partial Regex FlagsItem();
}
