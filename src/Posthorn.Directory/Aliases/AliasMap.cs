using System.Collections.Frozen;
using Posthorn.Core;

namespace Posthorn.Directory.Aliases;

/// <summary>All alias files together.</summary>
/// <remarks>Looked up in Postfix's order: the whole address, the address without its extension, the bare name, the bare name without its extension, the domain.</remarks>
internal sealed class AliasMap
{
    public required FrozenDictionary<EmailAddress, AliasEntry> Full { get; init; }

    /// <summary>Bare names, under each domain for which their file speaks.</summary>
    public required FrozenDictionary<EmailAddress, AliasEntry> Bare { get; init; }

    public required FrozenDictionary<DomainName, AliasEntry> CatchAll { get; init; }

    /// <summary>The domain that completes the bare targets of each file.</summary>
    public required FrozenDictionary<string, DomainName> Origin { get; init; }

    /// <summary>Tables of patterns, asked for the whole address after the files.</summary>
    public IReadOnlyList<AliasPatterns> Patterns { get; init; } = [];

    /// <summary>What an address becomes in one step, or null where nothing is written about it.</summary>
    public IReadOnlyList<EmailAddress>? Lookup(DirectorySnapshot directory, EmailAddress address, out bool cannotSay)
    {
        cannotSay = false;
        bool split = directory.TrySplit(address, out EmailAddress plain, out string extension);
        if (Full.TryGetValue(address, out AliasEntry? entry)) return Targets(entry, address, "");
        foreach (AliasPatterns patterns in Patterns)
        {
            cannotSay = !patterns.TryFind(address, out entry);
            if (cannotSay) return null;
            if (entry is not null) return Targets(entry, address, "");
        }
        if (split && Full.TryGetValue(plain, out entry)) return Targets(entry, address, extension);
        if (Bare.TryGetValue(address, out entry)) return Targets(entry, address, "");
        if (split && Bare.TryGetValue(plain, out entry)) return Targets(entry, address, extension);
        return CatchAll.TryGetValue(address.Domain, out entry) ? Targets(entry, address, "") : null;
    }

    // An extension that the key did not match goes on to the targets (Postfix's propagate_unmatched_extensions).
    private List<EmailAddress> Targets(AliasEntry entry, EmailAddress address, string extension)
    {
        List<EmailAddress> targets = new(entry.Targets.Count);
        foreach (AliasName name in entry.Targets)
        {
            DomainName domain = name.Domain ?? Origin[entry.File];
            // @other keeps the name that was asked for, extension and all.
            string local = name.User is null ? address.LocalPart : name.User + extension;
            if (EmailAddress.TryCreate(local, domain, out EmailAddress target)) targets.Add(target);
        }
        return targets;
    }
}
