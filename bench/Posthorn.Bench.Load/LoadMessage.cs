using System.Globalization;
using System.Text;

namespace Posthorn.Bench.Load;

/// <summary>What is sent: a message of a given size in which only a number changes, so that each can be told from all others and checked octet by octet.</summary>
public sealed class LoadMessage
{
    private const int Digits = 10;
    private const string NumberMark = "Message-ID: <";
    private readonly byte[] _octets;
    private readonly int _number;

    /// <summary>A message of about <paramref name="size"/> octets; <paramref name="run"/> tells the runs apart.</summary>
    public LoadMessage(int size, string run)
    {
        StringBuilder text = new();
        text.Append("From: Load Source <load@sender.example>\r\nTo: someone@bench.test\r\nSubject: load test message with a subject of usual length\r\n")
            .Append("Date: Mon, 02 Nov 2026 10:11:12 +0000\r\n").Append(NumberMark).Append('0', Digits).Append('.').Append(run).Append("@sender.example>\r\n")
            .Append("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
        const string line = "The quick brown fox jumps over the lazy dog, again and again and again.\r\n";
        while (text.Length + line.Length <= size) text.Append(line);
        if (size - text.Length > 2) text.Append('x', size - text.Length - 2).Append("\r\n");
        _octets = Encoding.ASCII.GetBytes(text.ToString());
        _number = _octets.AsSpan().IndexOf(Encoding.ASCII.GetBytes(NumberMark)) + NumberMark.Length;
        Run = run;
    }

    public string Run { get; }

    public int Length => _octets.Length;

    /// <summary>Where the number stands.</summary>
    internal int NumberAt => _number;

    /// <summary>The message with a number; lines end with CR LF.</summary>
    public byte[] With(int number)
    {
        byte[] octets = [.. _octets];
        WriteNumber(octets.AsSpan(_number), number);
        return octets;
    }

    internal static void WriteNumber(Span<byte> at, int number)
    {
        for (int i = Digits - 1; i >= 0; i--, number /= 10) at[i] = (byte)('0' + number % 10);
    }

    /// <summary>The number of a message that arrived, whatever header fields were put before it; null when it is none of this run, or not octet for octet what was sent.</summary>
    public int? NumberOf(ReadOnlySpan<byte> arrived)
    {
        byte[]? unfolded = null;
        int start = arrived.IndexOf("From: Load Source <load@sender.example>"u8);
        if (start < 0) return null;
        ReadOnlySpan<byte> mine = arrived[start..];
        if (!mine.Contains((byte)'\r')) mine = unfolded = WithCarriageReturns(mine);
        if (mine.Length != _octets.Length || !mine[.._number].SequenceEqual(_octets.AsSpan(0, _number)) || !mine[(_number + Digits)..].SequenceEqual(_octets.AsSpan(_number + Digits))) return null;
        return int.TryParse(mine.Slice(_number, Digits), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
    }

    private static byte[] WithCarriageReturns(ReadOnlySpan<byte> lines)
    {
        byte[] octets = new byte[lines.Length + lines.Count((byte)'\n')];
        int at = 0;
        foreach (byte b in lines)
        {
            if (b == '\n') octets[at++] = (byte)'\r';
            octets[at++] = b;
        }

        return octets;
    }
}
