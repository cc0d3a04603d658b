using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Posthorn.Testing;

/// <summary>A DNS server on a free port of loopback that answers MX, A and AAAA from a table; a name that is not there does not exist.</summary>
public sealed class DnsServer : IAsyncDisposable
{
    private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly Dictionary<string, List<(ushort Type, byte[] Data)>> _records = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _failing = new(StringComparer.OrdinalIgnoreCase);
    private readonly Task _serving;

    public DnsServer() => _serving = ServeAsync();

    public IPEndPoint EndPoint => (IPEndPoint)_socket.Client.LocalEndPoint!;

    public DnsServer Mx(string name, ushort preference, string host) => Add(name, 15, [(byte)(preference >> 8), (byte)preference, .. Name(host)]);
    public DnsServer Address(string name, string address) => Add(name, IPAddress.Parse(address) is { AddressFamily: AddressFamily.InterNetworkV6 } ? (ushort)28 : (ushort)1, IPAddress.Parse(address).GetAddressBytes());
    public DnsServer Cname(string name, string target) => Add(name, 5, Name(target));

    public DnsServer Fail(string name)
    {
        _failing.Add(name);
        return this;
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _serving;
    }

    private DnsServer Add(string name, ushort type, byte[] data)
    {
        if (!_records.TryGetValue(name, out List<(ushort, byte[])>? records)) _records.Add(name, records = []);
        records.Add((type, data));
        return this;
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            try
            {
                UdpReceiveResult query = await _socket.ReceiveAsync();
                byte[] answer = Answer(query.Buffer);
                await _socket.SendAsync(answer, query.RemoteEndPoint);
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException) { return; }
        }
    }

    private byte[] Answer(byte[] query)
    {
        (string name, int end) = ReadName(query, 12);
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(query.AsSpan(end));
        byte[] question = query[12..(end + 4)];
        List<(string Owner, ushort Type, byte[] Data)> answers = [];
        string owner = name;
        while (_records.TryGetValue(owner, out List<(ushort Type, byte[] Data)>? records))
        {
            answers.AddRange(records.Where(record => record.Type == type || record.Type == 5).Select(record => (owner, record.Type, record.Data)));
            if (records.Find(record => record.Type == 5).Data is not { } alias) break;
            owner = ReadName(alias, 0).Name;
        }
        byte code = _failing.Contains(name) ? (byte)2 : _records.ContainsKey(name) ? (byte)0 : (byte)3;
        List<byte> reply = [query[0], query[1], 0x81, (byte)(0x80 | code), 0, 1, 0, (byte)answers.Count, 0, 0, 0, 0, .. question];
        foreach ((string recordOwner, ushort recordType, byte[] data) in answers)
            reply.AddRange([.. Name(recordOwner), (byte)(recordType >> 8), (byte)recordType, 0, 1, 0, 0, 0, 60, (byte)(data.Length >> 8), (byte)data.Length, .. data]);
        return [.. reply];
    }

    private static byte[] Name(string name) =>
        [.. name.Split('.', StringSplitOptions.RemoveEmptyEntries).SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0];

    private static (string Name, int End) ReadName(byte[] bytes, int at)
    {
        List<string> labels = [];
        while (bytes[at] != 0)
        {
            labels.Add(Encoding.ASCII.GetString(bytes, at + 1, bytes[at]));
            at += bytes[at] + 1;
        }
        return (string.Join('.', labels), at + 1);
    }
}
