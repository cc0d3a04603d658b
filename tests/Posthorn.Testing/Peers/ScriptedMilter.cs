using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Posthorn.Net;

namespace Posthorn.Testing;

/// <summary>What a <see cref="ScriptedMilter"/> does when it hears a command.</summary>
public abstract record MilterAct
{
    private MilterAct() { }

    /// <summary>Answers with these packets, the last of which should be a last word.</summary>
    public sealed record Say(params (char Command, byte[] Data)[] Packets) : MilterAct;

    /// <summary>Does something, then goes on.</summary>
    public sealed record After(Action Deed) : MilterAct;

    /// <summary>Sends exactly these bytes.</summary>
    public sealed record Raw(byte[] Bytes) : MilterAct;

    /// <summary>Sends exactly these bytes and closes.</summary>
    public sealed record RawAndClose(byte[] Bytes) : MilterAct;

    /// <summary>Says nothing more, and keeps the connection.</summary>
    public sealed record Hang : MilterAct;

    /// <summary>Closes without a word.</summary>
    public sealed record Close : MilterAct;

    /// <summary>Goes on with everything.</summary>
    public static Say Continue { get; } = new(('c', []));
}

/// <summary>
/// A fake mail filter for tests of servers. It goes on with everything, until it is told otherwise at some command: <c>filter.At('E', MilterAct...)</c>. Points are the protocol's letters.
/// Several acts at one point are used one for each time; the last one stays. It writes down all that it hears, in words.
/// </summary>
public sealed class ScriptedMilter : IAsyncDisposable
{
    private readonly Script<char, MilterAct> _acts = new();
    private readonly ConcurrentQueue<string> _heard = new();
    private readonly ConcurrentBag<ByteChannel> _channels = [];
    private readonly ConcurrentBag<Task> _sessions = [];
    private readonly ConcurrentDictionary<string, string> _macros = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly LoopbackListener _listener;
    private int _count;

    public ScriptedMilter() => _listener = new(Serve);

    /// <summary>The version that it answers with.</summary>
    public int Version { get; init; } = 6;

    /// <summary>What it says it may do.</summary>
    public int Actions { get; init; } = 0x1FF;

    /// <summary>What it does not want, or changes.</summary>
    public int Steps { get; init; }

    /// <summary>Macros that it asks for, by stage.</summary>
    public IReadOnlyDictionary<int, string> Macros { get; init; } = new Dictionary<int, string>();

    /// <summary>Also writes down macros, each as <c>D(command) name=value</c>.</summary>
    public bool HearsMacros { get; init; }

    /// <summary>How its bytes reach the server.</summary>
    public ReadSplit Pieces { get; init; } = ReadSplit.Whole;

    /// <summary>All that it heard.</summary>
    public IReadOnlyList<string> Heard => [.. _heard];

    /// <summary>The last value of each macro that it was told.</summary>
    public IReadOnlyDictionary<string, string> MacroValues => _macros;

    /// <summary>Connections so far.</summary>
    public int ConnectionCount => Volatile.Read(ref _count);

    public ScriptedMilter At(char command, params ReadOnlySpan<MilterAct> acts)
    {
        _acts.Add(command, acts);
        return this;
    }

    /// <summary>Texts, each with a zero behind it.</summary>
    public static byte[] Texts(params string[] texts) => [.. texts.SelectMany(text => Encoding.Latin1.GetBytes(text).Append((byte)0))];

    /// <summary>A number, then texts.</summary>
    public static byte[] Indexed(int index, params string[] texts)
    {
        byte[] number = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, index);
        return [.. number, .. Texts(texts)];
    }

    /// <summary>A connection in memory: the server's end of it.</summary>
    public ByteChannel Connect()
    {
        (MemoryChannel filter, MemoryChannel server) = MemoryChannel.Pair(Pieces, 8 * 1024 * 1024);
        Serve(filter);
        return server;
    }

    /// <summary>Listens on a free port of 127.0.0.1.</summary>
    public IPEndPoint Listen() => _listener.EndPoint;

    /// <summary>Closes the connections that there are.</summary>
    public void HangUp()
    {
        foreach (ByteChannel channel in _channels) channel.Abort();
    }

    /// <summary>Completes when every connection so far has ended, and all that was said on it was heard.</summary>
    public Task SettledAsync() => Task.WhenAll(_sessions).WaitAsync(TimeSpan.FromSeconds(60));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _listener.DisposeAsync();
        HangUp();
        await Task.WhenAll(_sessions);
        _stop.Dispose();
    }

    private void Serve(ByteChannel channel)
    {
        Interlocked.Increment(ref _count);
        _channels.Add(channel);
        _sessions.Add(RunAsync(channel));
    }

    private async Task RunAsync(ByteChannel channel)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await using (channel)
        {
            try
            {
                while (await ReadAsync(channel, 4) is { } length && await ReadAsync(channel, BinaryPrimitives.ReadInt32BigEndian(length)) is { } packet)
                    if (!await AnswerAsync(channel, (char)packet[0], packet[1..])) return;
            }
            catch (Exception e) when (e is OperationCanceledException or IOException) { /* the server left, or the test is over */ }
        }
    }

    private async Task<byte[]?> ReadAsync(ByteChannel channel, int count)
    {
        byte[] bytes = new byte[count];
        for (int at = 0; at < count;)
        {
            int read = await channel.ReceiveAsync(bytes.AsMemory(at), _stop.Token);
            if (read == 0) return null;
            at += read;
        }
        return bytes;
    }

    private async Task<bool> AnswerAsync(ByteChannel channel, char command, byte[] data)
    {
        if (command == 'D')
        {
            HearMacros(data);
            return true;
        }
        _heard.Enqueue(Words(command, data));
        switch (_acts.Next(command))
        {
            case MilterAct.Say say:
                await SendAsync(channel, say.Packets);
                return true;
            case MilterAct.After after:
                after.Deed();
                await SendAsync(channel, [('c', [])]);
                return true;
            case MilterAct.Raw raw:
                await channel.SendAsync(raw.Bytes, _stop.Token);
                return true;
            case MilterAct.RawAndClose last:
                await channel.SendAsync(last.Bytes, _stop.Token);
                return false;
            case MilterAct.Hang:
                await Task.Delay(Timeout.InfiniteTimeSpan, _stop.Token);
                return false;
            case MilterAct.Close: return false;
        }
        if (command == 'O') await SendAsync(channel, [('O', Terms())]);
        else if (command == 'Q') return false;
        else if (command is not ('A' or 'K') && !IsSilent(command)) await SendAsync(channel, [('c', [])]);
        return true;
    }

    private byte[] Terms()
    {
        byte[] head = new byte[12];
        BinaryPrimitives.WriteInt32BigEndian(head, Version);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(4), Actions);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(8), Steps);
        return [.. head, .. Macros.SelectMany(one => Indexed(one.Key, one.Value))];
    }

    // SMFIP_NR_*: commands that get no answer.
    private bool IsSilent(char command) => (Steps & command switch { 'C' => 0x1000, 'H' => 0x2000, 'M' => 0x4000, 'R' => 0x8000, 'T' => 0x10000, 'U' => 0x20000, 'N' => 0x40000, 'B' => 0x80000, 'L' => 0x80, _ => 0 }) != 0;

    private async Task SendAsync(ByteChannel channel, IEnumerable<(char Command, byte[] Data)> packets)
    {
        MemoryStream bytes = new();
        foreach ((char command, byte[] data) in packets) bytes.Write(Packet(command, data));
        await channel.SendAsync(bytes.ToArray(), _stop.Token);
    }

    /// <summary>A packet as it goes over the wire.</summary>
    public static byte[] Packet(char command, params byte[] data)
    {
        byte[] packet = new byte[5 + data.Length];
        BinaryPrimitives.WriteInt32BigEndian(packet, data.Length + 1);
        packet[4] = (byte)command;
        data.CopyTo(packet, 5);
        return packet;
    }

    private void HearMacros(byte[] data)
    {
        string[] words = Encoding.Latin1.GetString(data.AsSpan(1)).Split('\0')[..^1];
        for (int i = 0; i + 1 < words.Length; i += 2)
        {
            _macros[words[i]] = words[i + 1];
            if (HearsMacros) _heard.Enqueue($"D({(char)data[0]}) {words[i]}={words[i + 1]}");
        }
    }

    private static string Words(char command, byte[] data) => command switch
    {
        'O' => $"O {BinaryPrimitives.ReadInt32BigEndian(data)} {BinaryPrimitives.ReadInt32BigEndian(data.AsSpan(4)):x} {BinaryPrimitives.ReadInt32BigEndian(data.AsSpan(8)):x}",
        'C' => Client(data),
        'B' => data.Length <= 100 ? $"B {Encoding.Latin1.GetString(data)}" : $"B {data.Length} octets",
        _ => $"{command} {string.Join('|', Encoding.Latin1.GetString(data).TrimEnd('\0').Split('\0'))}".TrimEnd(),
    };

    private static string Client(byte[] data)
    {
        int end = Array.IndexOf(data, (byte)0);
        string name = Encoding.Latin1.GetString(data.AsSpan(0, end));
        char family = (char)data[end + 1];
        if (family == 'U') return $"C {name}|U";
        return $"C {name}|{family}|{BinaryPrimitives.ReadUInt16BigEndian(data.AsSpan(end + 2))}|{Encoding.Latin1.GetString(data.AsSpan(end + 4)).TrimEnd('\0')}";
    }
}
