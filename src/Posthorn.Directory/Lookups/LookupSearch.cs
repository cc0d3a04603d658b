using System.Net;
using System.Net.Sockets;
using Posthorn.Core;

namespace Posthorn.Directory.Lookups;

/// <summary>Asks tables for the keys that a thing has, in the order that Postfix's documents give; the first that any table knows counts.</summary>
public static class LookupSearch
{
    /// <summary>The longest key that tables are asked for, characters: what comes from a peer may be longer than any honest name.</summary>
    public const int MaxKey = 2048;

    /// <summary>One key, whole.</summary>
    public static ValueTask<LookupResult> KeyAsync(IReadOnlyList<ILookupTable> tables, string key, CancellationToken cancel) => FirstAsync(tables, key, isWhole: true, cancel);

    /// <summary>
    /// An address, as canonical(5), generic(5), relocated(5) and the bcc tables have it: <c>user+ext@domain</c>, <c>user@domain</c>, <c>user+ext</c> and <c>user</c>
    /// where the domain is the server's own, <c>@domain</c>. With it the extension that the key did not match.
    /// </summary>
    public static async ValueTask<(LookupResult Result, string Extension)> AddressAsync(IReadOnlyList<ILookupTable> tables, EmailAddress address, IAddressSplitter splitter, CancellationToken cancel)
    {
        string domain = address.Domain.ToString();
        string plain = splitter.Split(address, out string extension);
        List<Key> keys = [.. Keys(address.LocalPart, $"@{domain}", isWhole: true, givesAddress: true)];
        if (extension.Length > 0) keys.AddRange(Keys(plain, $"@{domain}", extension));
        if (splitter.IsOwn(address.Domain))
        {
            keys.AddRange(Keys(address.LocalPart, ""));
            if (extension.Length > 0) keys.AddRange(Keys(plain, "", extension));
        }
        keys.Add(new($"@{domain}"));
        return await FirstAsync(tables, keys, cancel);
    }

    /// <summary>
    /// A sender or recipient as access(5) has it: <c>user+ext@domain</c>, <c>user@domain</c>, <c>domain</c> and the domains above it, <c>user+ext@</c>, <c>user@</c>. The null path is <c>&lt;&gt;</c>.
    /// </summary>
    public static async ValueTask<LookupResult> AccessAsync(IReadOnlyList<ILookupTable> tables, ReversePath path, IAddressSplitter splitter, CancellationToken cancel)
    {
        if (path.IsNull) return await KeyAsync(tables, "<>", cancel);
        EmailAddress address = path.Address;
        string domain = address.Domain.ToString();
        string plain = splitter.Split(address, out string extension);
        List<Key> keys = [.. Keys(address.LocalPart, $"@{domain}", isWhole: true)];
        if (extension.Length > 0) keys.AddRange(Keys(plain, $"@{domain}"));
        keys.AddRange(Domains(domain).Select(static name => new Key(name)));
        keys.AddRange(Keys(address.LocalPart, "@"));
        if (extension.Length > 0) keys.AddRange(Keys(plain, "@"));
        return (await FirstAsync(tables, keys, cancel)).Result;
    }

    /// <summary>A host name as access(5) has it: the name, then the domains above it, each as <c>.domain</c> and as <c>domain</c>.</summary>
    public static ValueTask<LookupResult> HostAsync(IReadOnlyList<ILookupTable> tables, string name, CancellationToken cancel) => FirstAsync(tables, Domains(name), cancel);

    /// <summary>A network address as access(5) has it: the address, then its networks octet by octet (<c>192.0.2</c>, <c>192.0</c>), for IPv6 its groups.</summary>
    public static ValueTask<LookupResult> NetworkAsync(IReadOnlyList<ILookupTable> tables, IPAddress address, CancellationToken cancel)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        char part = address.AddressFamily == AddressFamily.InterNetwork ? '.' : ':';
        List<string> keys = [];
        for (string key = WithoutScope(address); ; key = key[..key.LastIndexOf(part)])
        {
            keys.Add(key);
            if (!key.Contains(part, StringComparison.Ordinal)) break;
        }
        return FirstAsync(tables, keys, cancel);
    }

    /// <summary>A recipient as transport(5) has it: <c>user+ext@domain</c>, <c>user@domain</c>, <c>domain</c>, <c>.domain</c> above it, <c>*</c>.</summary>
    public static async ValueTask<LookupResult> TransportAsync(IReadOnlyList<ILookupTable> tables, EmailAddress address, IAddressSplitter splitter, CancellationToken cancel)
    {
        string domain = address.Domain.ToString();
        string plain = splitter.Split(address, out string extension);
        List<Key> keys = [.. Keys(address.LocalPart, $"@{domain}", isWhole: true, givesAddress: true)];
        if (extension.Length > 0) keys.AddRange(Keys(plain, $"@{domain}"));
        keys.Add(new(domain));
        for (int dot = domain.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = domain.IndexOf('.', dot + 1)) keys.Add(new(domain[dot..]));
        keys.Add(new("*"));
        return (await FirstAsync(tables, keys, cancel)).Result;
    }

    // What a table is asked for; for the whole key also tables of patterns are. With it the extension that it leaves out, and whether mail goes where the value says.
    private readonly record struct Key(string Text, bool IsWhole = false, string Unmatched = "", bool GivesAddress = false);

    // A local part that needs quotes is asked for with them, as it is written in mail, then without, as in old tables (Postfix's MA_FORM_EXTERNAL_FIRST).
    // Patterns that give addresses see the first alone: "x@elsewhere.example-list" without quotes gives /^(.*)-list@/ an address that nobody has written into the table.
    private static IEnumerable<Key> Keys(string local, string behind, string unmatched = "", bool isWhole = false, bool givesAddress = false)
    {
        string quoted = EmailAddress.Quote(local);
        yield return new(quoted + behind, isWhole, unmatched, givesAddress);
        if (quoted != local) yield return new(local + behind, isWhole && !givesAddress, unmatched, givesAddress);
    }

    private static IEnumerable<string> Domains(string name)
    {
        yield return name;
        for (int dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            yield return name[dot..];
            yield return name[(dot + 1)..];
        }
    }

    private static string WithoutScope(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? new IPAddress(address.GetAddressBytes()).ToString() : address.ToString();

    private static async ValueTask<(LookupResult Result, string Extension)> FirstAsync(IReadOnlyList<ILookupTable> tables, List<Key> keys, CancellationToken cancel)
    {
        foreach (Key key in keys)
        {
            LookupResult result = await FirstAsync(tables, key.Text, key.IsWhole, cancel, key.GivesAddress);
            if (result is not LookupResult.Absent) return (result, key.Unmatched);
        }
        return (LookupResult.None, "");
    }

    // The first key is the whole one; the others are parts of it.
    private static async ValueTask<LookupResult> FirstAsync(IReadOnlyList<ILookupTable> tables, IEnumerable<string> keys, CancellationToken cancel) =>
        (await FirstAsync(tables, [.. keys.Select(static (key, i) => new Key(key, IsWhole: i == 0))], cancel)).Result;

    // A table that cannot say stops the search: what stands behind it might be overruled by what it would have said.
    private static async ValueTask<LookupResult> FirstAsync(IReadOnlyList<ILookupTable> tables, string key, bool isWhole, CancellationToken cancel, bool givesAddress = false)
    {
        if (key.Length is 0 or > MaxKey) return LookupResult.None;
        foreach (ILookupTable table in tables)
        {
            if (!isWhole && table.TakesWholeKeysOnly) continue;
            LookupResult result = givesAddress ? await table.FindAddressAsync(key, cancel) : await table.FindAsync(key, cancel);
            if (result is not LookupResult.Absent) return result;
        }
        return LookupResult.None;
    }
}

/// <summary>What the search for addresses needs to know of our domains.</summary>
public interface IAddressSplitter
{
    /// <summary>The local part without its extension, and the extension with its delimiter; empty where there is none.</summary>
    string Split(EmailAddress address, out string extension);

    /// <summary>True for the domains whose users are asked for by their bare names.</summary>
    bool IsOwn(DomainName domain);
}
