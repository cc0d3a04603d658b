using System.Net;
using System.Net.Sockets;

namespace Posthorn.Net;

/// <summary>How often something may happen.</summary>
/// <param name="Max">So often within the window; 0 for no bound.</param>
/// <param name="Window">The window.</param>
/// <param name="IPv6Prefix">The length of IPv6 networks that count as one address.</param>
public readonly record struct RateLimit(int Max, TimeSpan Window, int IPv6Prefix = AddressGroup.DefaultPrefix)
{
    /// <summary>No bound.</summary>
    public static RateLimit None => default;

    /// <summary>There is a bound.</summary>
    public bool IsSet => Max > 0;
}

/// <summary>Counts what addresses do within a window that moves on.</summary>
/// <remarks>Memory is bounded by <see cref="MaxAddresses"/>. Beyond it a new address counts together with its neighbours: who comes from very many addresses must not be counted less for it.</remarks>
public sealed class AddressRates(TimeProvider time)
{
    /// <summary>Addresses that are remembered one by one: some 20 MB at most.</summary>
    public const int MaxAddresses = 100_000;

    /// <summary>Counts that addresses without one of their own share.</summary>
    private const int Crowds = 4_096;

    private readonly RateTable<IPAddress> _addresses = new(time, MaxAddresses);
    private readonly RateTable<int> _crowds = new(time, Crowds);

    /// <summary>Counts some more; true when it has become more than the limit.</summary>
    public bool Add(IPAddress address, int count, RateLimit limit)
    {
        if (!limit.IsSet) return false;
        IPAddress group = AddressGroup.Of(address, limit.IPv6Prefix);
        return (_addresses.Add(group, count, limit.Window) ?? _crowds.Add(CrowdOf(group), count, limit.Window)) > limit.Max;
    }

    /// <summary>Counts one more where the limit bears it; false when it does not.</summary>
    public bool TryAdd(IPAddress address, RateLimit limit)
    {
        if (!limit.IsSet) return true;
        IPAddress group = AddressGroup.Of(address, limit.IPv6Prefix);
        return _addresses.AddBelow(group, limit.Max, limit.Window) ?? _crowds.AddBelow(CrowdOf(group), limit.Max, limit.Window) ?? false;
    }

    /// <summary>True when there has been so much that no more is borne.</summary>
    public bool IsOver(IPAddress address, RateLimit limit)
    {
        if (!limit.IsSet) return false;
        IPAddress group = AddressGroup.Of(address, limit.IPv6Prefix);
        double? count = _addresses.Of(group, limit.Window);
        if (count is null && _addresses.IsFull) count = _crowds.Of(CrowdOf(group), limit.Window);
        return count >= limit.Max;
    }

    /// <summary>Takes so much of an address's count back.</summary>
    public void TakeBack(IPAddress address, RateShare share, RateLimit limit) => _addresses.TakeBack(AddressGroup.Of(address, limit.IPv6Prefix), share, limit.Window);

    // By the larger network, which has one owner as a rule: who fills the table with addresses of his own shares a count with himself.
    private static int CrowdOf(IPAddress group)
    {
        Span<byte> octets = stackalloc byte[16];
        group.TryWriteBytes(octets, out _);
        HashCode hash = new();
        hash.AddBytes(octets[..(group.AddressFamily == AddressFamily.InterNetworkV6 ? 6 : 3)]);
        return (int)((uint)hash.ToHashCode() % Crowds);
    }
}
