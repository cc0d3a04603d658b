using System.Net;
using Posthorn.Core;
using Posthorn.Directory.Lookups;

namespace Posthorn.Directory.Tests.Lookups;

/// <summary>Which keys are asked for, in which order: as Postfix's documents have it.</summary>
public sealed class SearchTests
{
    private sealed class Asked(bool whole = false) : ILookupTable
    {
        public List<string> Keys { get; } = [];
        public string Name => "asked";
        public bool TakesWholeKeysOnly => whole;
        public ValueTask<LookupResult> FindAsync(string key, CancellationToken cancel)
        {
            Keys.Add(key);
            return ValueTask.FromResult(LookupResult.None);
        }
    }

    private sealed class Splitter : IAddressSplitter
    {
        public string Split(EmailAddress address, out string extension)
        {
            int plus = address.LocalPart.IndexOf('+', StringComparison.Ordinal);
            extension = plus < 0 ? "" : address.LocalPart[plus..];
            return plus < 0 ? address.LocalPart : address.LocalPart[..plus];
        }

        public bool IsOwn(DomainName domain) => domain == DomainName.Create("own.example");
    }

    private static readonly CancellationToken Cancel = CancellationToken.None;
    private readonly Asked _table = new(), _pattern = new(whole: true);

    private ILookupTable[] Tables => [_pattern, _table];

    [Fact]
    public async Task Addresses()
    {
        await LookupSearch.AddressAsync(Tables, EmailAddress.Parse("ann+x@own.example"), new Splitter(), Cancel);
        Assert.Equal(["ann+x@own.example", "ann@own.example", "ann+x", "ann", "@own.example"], _table.Keys);
        Assert.Equal(["ann+x@own.example"], _pattern.Keys);
    }

    // With quotes as in mail, then without, at each step. Tables of patterns whose values are addresses see the first alone: there a group could become an address of the stranger's choice.
    [Fact]
    public async Task Addresses_that_need_quotes()
    {
        await LookupSearch.AddressAsync(Tables, EmailAddress.Parse("\"an n+x\"@own.example"), new Splitter(), Cancel);
        Assert.Equal(["\"an n+x\"@own.example", "an n+x@own.example", "\"an n\"@own.example", "an n@own.example", "\"an n+x\"", "an n+x", "\"an n\"", "an n", "@own.example"], _table.Keys);
        Assert.Equal(["\"an n+x\"@own.example"], _pattern.Keys);
        _table.Keys.Clear();
        _pattern.Keys.Clear();
        await LookupSearch.AccessAsync(Tables, ReversePath.Of(EmailAddress.Parse("\"a@b\"@x.example")), new Splitter(), Cancel);
        Assert.Equal(["\"a@b\"@x.example", "a@b@x.example", "x.example", ".example", "example", "\"a@b\"@", "a@b@"], _table.Keys);
        Assert.Equal(["\"a@b\"@x.example", "a@b@x.example"], _pattern.Keys);
        _table.Keys.Clear();
        _pattern.Keys.Clear();
        await LookupSearch.TransportAsync(Tables, EmailAddress.Parse("\".a\"@x.example"), new Splitter(), Cancel);
        Assert.Equal(["\".a\"@x.example"], _pattern.Keys);
        Assert.Equal(["\".a\"@x.example", ".a@x.example", "x.example", ".example", "*"], _table.Keys);
    }

    [Fact]
    public async Task Addresses_elsewhere()
    {
        await LookupSearch.AddressAsync(Tables, EmailAddress.Parse("ann@a.example"), new Splitter(), Cancel);
        Assert.Equal(["ann@a.example", "@a.example"], _table.Keys);
    }

    [Fact]
    public async Task Access()
    {
        await LookupSearch.AccessAsync(Tables, ReversePath.Of(EmailAddress.Parse("ann+x@a.b.example")), new Splitter(), Cancel);
        Assert.Equal(["ann+x@a.b.example", "ann@a.b.example", "a.b.example", ".b.example", "b.example", ".example", "example", "ann+x@", "ann@"], _table.Keys);
    }

    [Fact]
    public async Task The_null_path()
    {
        await LookupSearch.AccessAsync(Tables, ReversePath.Null, new Splitter(), Cancel);
        Assert.Equal(["<>"], _table.Keys);
    }

    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7 192.0.2 192.0 192")]
    [InlineData("::ffff:192.0.2.7", "192.0.2.7 192.0.2 192.0 192")]
    [InlineData("2001:db8:1::7", "2001:db8:1::7 2001:db8:1: 2001:db8:1 2001:db8 2001")]
    public async Task Networks(string address, string keys)
    {
        await LookupSearch.NetworkAsync(Tables, IPAddress.Parse(address), Cancel);
        Assert.Equal(keys.Split(' '), _table.Keys);
        Assert.Single(_pattern.Keys);
    }

    [Fact]
    public async Task Transports()
    {
        await LookupSearch.TransportAsync(Tables, EmailAddress.Parse("ann+x@a.b.example"), new Splitter(), Cancel);
        Assert.Equal(["ann+x@a.b.example", "ann@a.b.example", "a.b.example", ".b.example", ".example", "*"], _table.Keys);
    }

    [Fact]
    public async Task A_key_longer_than_any_name_is_not_asked_for()
    {
        await LookupSearch.KeyAsync(Tables, new string('a', LookupSearch.MaxKey + 1), Cancel);
        Assert.Empty(_table.Keys);
    }
}
