using System.Net;

namespace Posthorn.Net;

/// <summary>Some networks; two sets of the same are equal.</summary>
public sealed class NetworkSet(IReadOnlyList<IPNetwork> networks) : IEquatable<NetworkSet>
{
    public static NetworkSet Empty { get; } = new([]);

    public bool IsEmpty => networks.Count == 0;

    public bool Contains(IPAddress address)
    {
        foreach (IPNetwork network in networks)
            if (network.Contains(address)) return true;
        return false;
    }

    public bool Equals(NetworkSet? other) => other is not null && other.All.SequenceEqual(networks);

    public override bool Equals(object? obj) => Equals(obj as NetworkSet);

    public override int GetHashCode() => networks.Count;

    public override string ToString() => string.Join(", ", networks);

    private IReadOnlyList<IPNetwork> All => networks;
}
