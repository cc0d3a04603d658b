using System.Net;
using Microsoft.Extensions.Time.Testing;

namespace Posthorn.Net.Tests;

/// <summary>Counting by address.</summary>
public sealed class AddressRatesTests
{
    private static readonly RateLimit Limit = new(3, TimeSpan.FromMinutes(1));
    private readonly FakeTimeProvider _time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly IPAddress _address = IPAddress.Parse("192.0.2.1");

    [Fact]
    public void The_window_moves_on()
    {
        AddressRates rates = new(_time);
        Assert.Equal([false, false, false, true], Enumerable.Range(0, 4).Select(_ => rates.Add(_address, 1, Limit)));
        Assert.True(rates.IsOver(_address, Limit));
        Assert.False(rates.IsOver(IPAddress.Parse("192.0.2.2"), Limit));
        _time.Advance(TimeSpan.FromMinutes(1)); // a quarter of the window before is gone when a quarter of this one is
        Assert.True(rates.IsOver(_address, Limit));
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.False(rates.IsOver(_address, Limit));
        Assert.False(rates.Add(_address, 1, Limit));
        Assert.True(rates.Add(_address, 1, Limit));
    }

    [Fact]
    public void Networks_of_IPv6_count_as_one()
    {
        AddressRates rates = new(_time);
        for (int i = 0; i < 3; i++) Assert.False(rates.Add(IPAddress.Parse($"2001:db8::{i}"), 1, Limit));
        Assert.True(rates.Add(IPAddress.Parse("2001:db8::ffff:0:0:1"), 1, Limit));
        Assert.False(rates.Add(IPAddress.Parse("2001:db8:0:1::1"), 1, Limit));
        Assert.Equal("2001:db8:f000::", AddressGroup.Of(IPAddress.Parse("2001:db8:ffff::1"), 36).ToString());
        Assert.Equal("2001:db8:ffff::1", AddressGroup.Of(IPAddress.Parse("2001:db8:ffff::1"), 128).ToString());
    }

    [Fact]
    public void No_limit_counts_nothing_and_what_is_forgotten_begins_anew()
    {
        AddressRates rates = new(_time);
        Assert.False(rates.Add(_address, 1000, RateLimit.None));
        Assert.True(rates.Add(_address, 1000, Limit));
        rates.Forget(_address, Limit);
        Assert.False(rates.IsOver(_address, Limit));
    }

    [Fact]
    public void Memory_is_bounded_and_old_addresses_make_room()
    {
        AddressRates rates = new(_time);
        byte[] octets = new byte[4];
        for (int i = 0; i < AddressRates.MaxAddresses + 10; i++)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(octets, i + 1);
            rates.Add(new(octets), 9, Limit);
        }
        Assert.False(rates.IsOver(new(octets), Limit)); // one too many: not counted
        _time.Advance(TimeSpan.FromMinutes(3));
        Assert.True(rates.Add(new(octets), 9, Limit));
    }
}
