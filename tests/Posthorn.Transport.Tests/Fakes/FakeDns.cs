using System.Net;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Transport.Remote;
using Posthorn.Trust.Dane;

namespace Posthorn.Transport.Tests.Fakes;

/// <summary>A DNS of a few names; a name that is not there does not exist, one in <see cref="Broken"/> gets no answer.</summary>
internal sealed class FakeDns : IMailDns
{
    public Dictionary<string, MxHost[]> Mx { get; } = new(StringComparer.OrdinalIgnoreCase);
    public Dictionary<string, IPAddress[]> Hosts { get; } = new(StringComparer.OrdinalIgnoreCase);
    public HashSet<string> Broken { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Nothing is ever answered.</summary>
    public bool Hangs { get; set; }
    public Dictionary<string, TlsaRecord[]> Tlsa { get; } = new(StringComparer.OrdinalIgnoreCase);
    public Dictionary<string, string[]> Texts { get; } = new(StringComparer.OrdinalIgnoreCase);
    public Dictionary<string, string> Aliases { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Names whose answers are signed and proved.</summary>
    public HashSet<string> Secure { get; } = new(StringComparer.OrdinalIgnoreCase);
    public bool CanValidate { get; set; } = true;

    public ValueTask<TlsaAnswer> FindTlsaAsync(string name, CancellationToken cancel)
    {
        if (Broken.Contains(name)) return ValueTask.FromResult(new TlsaAnswer(DnsStatus.Failed, [], false));
        return ValueTask.FromResult(Tlsa.TryGetValue(name, out TlsaRecord[]? records) ? new TlsaAnswer(DnsStatus.Found, records, Secure.Contains(name)) : new(DnsStatus.NoDomain, [], false));
    }

    public Dictionary<IPAddress, string[]> Names { get; } = [];

    public async ValueTask<NameAnswer> FindNamesAsync(IPAddress address, CancellationToken cancel)
    {
        if (Hangs) await Task.Delay(System.Threading.Timeout.Infinite, cancel);
        if (Broken.Contains(address.ToString())) return new(DnsStatus.Failed, []);
        return Names.TryGetValue(address, out string[]? names) ? new(DnsStatus.Found, names) : new(DnsStatus.NoDomain, []);
    }

    public ValueTask<TextAnswer> FindTextAsync(string name, CancellationToken cancel) =>
        ValueTask.FromResult(Broken.Contains(name) ? new TextAnswer(DnsStatus.Failed, []) : Texts.TryGetValue(name, out string[]? texts) ? new(DnsStatus.Found, texts) : new(DnsStatus.NoDomain, []));

    public ValueTask<bool> IsSecureAliasAsync(string name, CancellationToken cancel) => ValueTask.FromResult(Aliases.ContainsKey(name) && Secure.Contains(name));

    public ValueTask<MxAnswer> FindMxAsync(DomainName domain, CancellationToken cancel)
    {
        if (Broken.Contains(domain.Ascii)) return ValueTask.FromResult(new MxAnswer(DnsStatus.Failed, []));
        if (Mx.TryGetValue(domain.Ascii, out MxHost[]? hosts)) return ValueTask.FromResult(new MxAnswer(DnsStatus.Found, hosts) { IsSecure = Secure.Contains(domain.Ascii) });
        return ValueTask.FromResult(new MxAnswer(Hosts.ContainsKey(domain.Ascii) ? DnsStatus.NoData : DnsStatus.NoDomain, []));
    }

    public ValueTask<AddressAnswer> FindAddressesAsync(string host, AddressFamily family, CancellationToken cancel)
    {
        if (Broken.Contains(host)) return ValueTask.FromResult(new AddressAnswer(DnsStatus.Failed, []));
        string? canonical = Aliases.GetValueOrDefault(host);
        if (!Hosts.TryGetValue(canonical ?? host, out IPAddress[]? addresses)) return ValueTask.FromResult(new AddressAnswer(DnsStatus.NoDomain, []));
        IPAddress[] wanted = [.. addresses.Where(address => address.AddressFamily == family)];
        return ValueTask.FromResult(new AddressAnswer(wanted.Length > 0 ? DnsStatus.Found : DnsStatus.NoData, wanted) { IsSecure = Secure.Contains(canonical ?? host), CanonicalName = canonical });
    }
}
