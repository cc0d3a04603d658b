using System.Net;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Tests.Fakes;

/// <summary>A DNS of a few names; a name that is not there does not exist, one in <see cref="Broken"/> gets no answer.</summary>
internal sealed class FakeDns : IMailDns
{
    public Dictionary<string, MxHost[]> Mx { get; } = new(StringComparer.OrdinalIgnoreCase);
    public Dictionary<string, IPAddress[]> Hosts { get; } = new(StringComparer.OrdinalIgnoreCase);
    public HashSet<string> Broken { get; } = new(StringComparer.OrdinalIgnoreCase);

    public ValueTask<MxAnswer> FindMxAsync(DomainName domain, CancellationToken cancel)
    {
        if (Broken.Contains(domain.Ascii)) return ValueTask.FromResult(new MxAnswer(DnsStatus.Failed, []));
        if (Mx.TryGetValue(domain.Ascii, out MxHost[]? hosts)) return ValueTask.FromResult(new MxAnswer(DnsStatus.Found, hosts));
        return ValueTask.FromResult(new MxAnswer(Hosts.ContainsKey(domain.Ascii) ? DnsStatus.NoData : DnsStatus.NoDomain, []));
    }

    public ValueTask<AddressAnswer> FindAddressesAsync(string host, AddressFamily family, CancellationToken cancel)
    {
        if (Broken.Contains(host)) return ValueTask.FromResult(new AddressAnswer(DnsStatus.Failed, []));
        if (!Hosts.TryGetValue(host, out IPAddress[]? addresses)) return ValueTask.FromResult(new AddressAnswer(DnsStatus.NoDomain, []));
        IPAddress[] wanted = [.. addresses.Where(address => address.AddressFamily == family)];
        return ValueTask.FromResult(new AddressAnswer(wanted.Length > 0 ? DnsStatus.Found : DnsStatus.NoData, wanted));
    }
}
