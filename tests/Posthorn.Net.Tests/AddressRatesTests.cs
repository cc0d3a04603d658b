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
    public void No_limit_counts_nothing_and_what_is_taken_back_does_not_count()
    {
        AddressRates rates = new(_time);
        Assert.False(rates.Add(_address, 1000, RateLimit.None));
        Assert.True(rates.Add(_address, 5, Limit));
        rates.TakeBack(_address, new(2, 0), Limit);
        Assert.True(rates.IsOver(_address, Limit));
        _time.Advance(TimeSpan.FromMinutes(1));
        rates.TakeBack(_address, new(9, 2), Limit);
        Assert.False(rates.IsOver(_address, Limit));
    }

    [Fact]
    public void Many_at_once_are_counted_up_to_the_limit_and_no_further()
    {
        AddressRates rates = new(_time);
        int counted = 0;
        Parallel.For(0, 1_000, _ =>
        {
            if (rates.TryAdd(_address, Limit)) Interlocked.Increment(ref counted);
        });
        Assert.Equal(3, counted);
    }

    [Fact]
    public void Who_comes_from_more_addresses_than_are_remembered_is_counted_with_his_neighbours()
    {
        AddressRates rates = new(_time);
        byte[] octets = new byte[4];
        for (int i = 0; i < AddressRates.MaxAddresses; i++)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(octets, i + 1);
            rates.Add(new(octets), 9, Limit);
        }
        IPAddress[] crowd = [.. Enumerable.Range(0, 5).Select(i => IPAddress.Parse($"203.0.113.{i}"))];
        Assert.Equal([true, true, true, false, false], crowd.Select(address => rates.TryAdd(address, Limit)));
        Assert.True(rates.IsOver(crowd[4], Limit));
        Assert.False(rates.IsOver(IPAddress.Parse("198.51.100.1"), Limit));
        _time.Advance(TimeSpan.FromMinutes(3)); // old addresses make room
        Assert.True(rates.Add(crowd[4], 9, Limit));
        Assert.False(rates.IsOver(crowd[3], Limit));
    }
}
