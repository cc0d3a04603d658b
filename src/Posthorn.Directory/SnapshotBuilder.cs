using System.Collections.Frozen;
using Posthorn.Core;
using Posthorn.Directory.Aliases;
using Posthorn.Directory.Files;
using Posthorn.Directory.Passwords;

namespace Posthorn.Directory;

/// <summary>Puts options and files together into a snapshot and gathers all that is wrong with them.</summary>
internal sealed class SnapshotBuilder
{
    private readonly DirectoryOptions _options;
    private readonly DomainName _default;
    private readonly FrozenDictionary<DomainName, DomainOptions> _domains;
    private readonly List<DirectoryProblem> _problems = [];
    private readonly List<AccountEntry> _accounts = [];
    private readonly Dictionary<EmailAddress, AccountEntry> _byAddress = [];

    /// <summary>Aliases by pattern.</summary>
    public IReadOnlyList<AliasPatterns> Patterns { get; init; } = [];

    public SnapshotBuilder(DirectoryOptions options)
    {
        _options = options;
        Dictionary<DomainName, DomainOptions> domains = [];
        foreach (DomainOptions domain in options.Domains)
            if (!domains.TryAdd(domain.Name, domain)) Complain(ProblemSeverity.Error, "configuration", 0, $"the domain {domain.Name} is there twice; the first counts");
        _domains = domains.ToFrozenDictionary();
        _default = options.DefaultDomain ?? (options.Domains.Count > 0 ? options.Domains[0].Name : DomainName.Create("localhost"));
        if (options.DefaultDomain is { } named && !_domains.ContainsKey(named)) Complain(ProblemSeverity.Warning, "configuration", 0, $"the default domain {named} is not among the hosted domains");
    }

    /// <param name="users">The passwd-files with the domain of their bare names; null for the default domain.</param>
    /// <param name="aliases">The alias files with the domains that name them; none for the default domain.</param>
    /// <param name="unreadable">What is wrong with files as a whole.</param>
    /// <param name="isIncomplete">Whether a file has never been read.</param>
    public DirectorySnapshot Build(
        IReadOnlyList<(PasswdTable Table, DomainName? Domain)> users,
        IReadOnlyList<(AliasTable Table, IReadOnlyList<DomainName> Domains)> aliases,
        IEnumerable<DirectoryProblem> unreadable,
        bool isIncomplete)
    {
        _problems.AddRange(unreadable);
        foreach ((PasswdTable table, DomainName? domain) in users)
        {
            _problems.AddRange(table.Problems);
            foreach (PasswdEntry entry in table.Entries) AddAccount(entry, domain ?? _default);
        }
        CheckTrees();
        AliasMap map = BuildAliases(aliases);
        List<AccountEntry> withPassword = [.. _accounts.Where(static a => a.Line.Password is not null)];
        DirectorySnapshot snapshot = new()
        {
            Options = _options,
            DefaultDomain = _default,
            Domains = _domains,
            Accounts = [.. _accounts.Select(static a => a.Account)],
            ByAddress = _byAddress.ToFrozenDictionary(),
            ByUser = _accounts.GroupBy(static a => a.Account.Address.LocalPart, StringComparer.OrdinalIgnoreCase)
                .ToFrozenDictionary(static g => g.Key, static g => (IReadOnlyList<AccountEntry>)[.. g], StringComparer.OrdinalIgnoreCase),
            Aliases = map,
            Problems = _problems,
            IsIncomplete = isIncomplete,
            Decoy = withPassword.GroupBy(static a => a.Line.Password!.Scheme).OrderByDescending(static g => g.Count()).FirstOrDefault()?.First().Line.Password,
            ScramShape = Enum.GetValues<ScramHash>().ToDictionary(static hash => hash, hash => ShapeOf(withPassword, hash)),
            ScramForAll = withPassword.Count == 0 ? [] : [.. Enum.GetValues<ScramHash>().Where(hash => withPassword.All(a => CanScram(a.Line.Password!, hash)))],
        };
        CheckAliases(snapshot, aliases);
        return snapshot;
    }

    private static (int Iterations, int Salt) ShapeOf(List<AccountEntry> accounts, ScramHash hash) => accounts
        .Where(account => CanScram(account.Line.Password!, hash))
        .GroupBy(static account => account.Line.Password is StoredPassword.Scram { Keys: var keys } ? (keys.Iterations, keys.Salt.Length) : (ScramMath.Iterations, ScramMath.SaltLength))
        .OrderByDescending(static group => group.Count()).FirstOrDefault()?.Key ?? (ScramMath.Iterations, ScramMath.SaltLength);

    private static bool CanScram(StoredPassword stored, ScramHash hash) =>
        stored is StoredPassword.Plain || (stored is StoredPassword.Scram scram && scram.Keys.Hash == hash);

    private void AddAccount(PasswdEntry line, DomainName home)
    {
        DomainName domain = line.Domain ?? home;
        if (!_domains.ContainsKey(domain))
        {
            Complain(ProblemSeverity.Error, line.File, line.Line, $"the domain of '{line.User}@{domain}' is not hosted here; add a [[domain]] with name = \"{domain}\". The line is not used");
            return;
        }
        if (!EmailAddress.TryCreate(line.User, domain, out EmailAddress address))
        {
            Complain(ProblemSeverity.Error, line.File, line.Line, $"'{line.User}@{domain}' is not an address; the line is not used");
            return;
        }
        if (_byAddress.TryGetValue(address, out AccountEntry? first))
        {
            Complain(ProblemSeverity.Error, line.File, line.Line, $"{address} is already there at {first.Line.File}:{first.Line.Line}; this line is not used");
            return;
        }
        string? folder = MailTemplate.Expand(line.Home ?? _options.MailHomeTemplate, address, null, out string error);
        MailPlace? place = folder is null ? null : MailPlace.Expand((line.Mail ?? _options.MailLocationTemplate) + line.MailOptions, address, folder, out error);
        if (folder is null || place is null)
        {
            Complain(ProblemSeverity.Error, line.File, line.Line, $"no place for the mail of {address}: {error}. The line is not used");
            return;
        }
        AccountEntry entry = new(new() { Address = address, Home = folder, MailRoot = place.Root, Layout = place.Layout, QuotaBytes = line.QuotaBytes, QuotaMessages = line.QuotaMessages }, line);
        _accounts.Add(entry);
        _byAddress.Add(address, entry);
    }

    // Two accounts with their mail in one place would both number it. The first keeps it: the other is known, so that its mail is not refused for good, but is not served.
    private void CheckTrees()
    {
        Dictionary<string, AccountEntry> roots = new(_accounts.Count, StringComparer.Ordinal);
        foreach (AccountEntry entry in _accounts) roots.TryAdd(Plain(entry.Account.MailRoot), entry);
        for (int i = 0; i < _accounts.Count; i++)
        {
            AccountEntry entry = _accounts[i];
            if (TreeAround(Plain(entry.Account.MailRoot), entry, roots) is not { } other) continue;
            Complain(ProblemSeverity.Error, entry.Line.File, entry.Line.Line,
                $"the mail of {entry.Account} would lie in {entry.Account.MailRoot}, which belongs to the mail of {other.Account} ({other.Line.File}:{other.Line.Line}); give each a place of its own ({{localpart}} alone is not enough with several domains), or make one an alias of the other. Until then the mail of {entry.Account} is not available");
            AccountEntry shut = entry with { Account = entry.Account with { TreeOf = other.Account.Address } };
            _accounts[i] = _byAddress[entry.Account.Address] = shut;
        }
    }

    // The account whose tree a root is, or in whose tree it would be a folder.
    private static AccountEntry? TreeAround(string root, AccountEntry own, Dictionary<string, AccountEntry> roots)
    {
        if (roots[root] is var same && same.Account != own.Account) return same;
        string name = Path.GetFileName(root);
        bool isDirect = true;
        for (string? above = Path.GetDirectoryName(root); above is not null; above = Path.GetDirectoryName(above), isDirect = false)
            if (roots.TryGetValue(above, out AccountEntry? outer) && (outer.Account.Layout.IsNested && name[0] != '.' || isDirect && name[0] == '.')) return outer;
        return null;
    }

    private static string Plain(string root) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));

    private AliasMap BuildAliases(IReadOnlyList<(AliasTable Table, IReadOnlyList<DomainName> Domains)> aliases)
    {
        Dictionary<EmailAddress, AliasEntry> full = [], bare = [];
        Dictionary<DomainName, AliasEntry> catchAll = [];
        Dictionary<string, DomainName> origin = [];
        foreach (AliasPatterns patterns in Patterns) origin.TryAdd(patterns.File, patterns.Domains.Count == 1 ? patterns.Domains[0] : _default);
        foreach ((AliasTable table, IReadOnlyList<DomainName> named) in aliases)
        {
            _problems.AddRange(table.Problems);
            IReadOnlyList<DomainName> owners = named.Count > 0 ? named : [_default];
            origin.TryAdd(table.File, owners.Count == 1 ? owners[0] : _default);
            foreach (AliasEntry entry in table.Entries)
            {
                if (entry.Key.User is not { } user) Add(catchAll, entry.Key.Domain!.Value, entry);
                else if (entry.Key.Domain is { } domain) AddAddress(full, user, domain, entry);
                else if (!IsDomainMarker(user))
                    foreach (DomainName owner in owners) AddAddress(bare, user, owner, entry);
            }
        }
        return new() { Full = full.ToFrozenDictionary(), Bare = bare.ToFrozenDictionary(), CatchAll = catchAll.ToFrozenDictionary(), Origin = origin.ToFrozenDictionary(), Patterns = Patterns };
    }

    // "example.org anything" declares a virtual alias domain in Postfix; here the configuration does.
    private bool IsDomainMarker(string user) => user.Contains('.', StringComparison.Ordinal) && DomainName.TryCreate(user, out DomainName domain) && _domains.ContainsKey(domain);

    private void AddAddress(Dictionary<EmailAddress, AliasEntry> to, string user, DomainName domain, AliasEntry entry)
    {
        if (EmailAddress.TryCreate(user, domain, out EmailAddress address)) Add(to, address, entry);
    }

    private void Add<T>(Dictionary<T, AliasEntry> to, T key, AliasEntry entry) where T : notnull
    {
        if (!to.TryAdd(key, entry)) Complain(ProblemSeverity.Warning, entry.File, entry.Line, $"'{entry.Key}' is already there at {to[key].File}:{to[key].Line}; the first counts");
    }

    private void CheckAliases(DirectorySnapshot snapshot, IReadOnlyList<(AliasTable Table, IReadOnlyList<DomainName> Domains)> aliases)
    {
        foreach (AliasEntry entry in aliases.SelectMany(static a => a.Table.Entries))
        {
            if (entry.Key.Domain is { } domain && !_domains.ContainsKey(domain))
            {
                Complain(ProblemSeverity.Warning, entry.File, entry.Line, $"the domain of '{entry.Key}' is not hosted here, so no mail comes this way; add a [[domain]] with name = \"{domain}\" or remove the line");
                continue;
            }
            if (entry.Key.User is { } user && entry.Key.Domain is null && IsDomainMarker(user)) continue;
            foreach (AliasName target in entry.Targets) CheckTarget(snapshot, entry, target);
            if (entry.Key.User is null) CheckCatchAll(snapshot, entry);
        }
        foreach (MailAccount account in snapshot.Accounts) CheckOwnAddress(snapshot, account);
    }

    // An alias on the very address of an account leaves the account without mail, unless it leads back there.
    private void CheckOwnAddress(DirectorySnapshot snapshot, MailAccount account)
    {
        if ((snapshot.Aliases.Full.GetValueOrDefault(account.Address) ?? snapshot.Aliases.Bare.GetValueOrDefault(account.Address)) is not { } entry || LeadsTo(snapshot, account)) return;
        Complain(ProblemSeverity.Warning, entry.File, entry.Line,
            $"'{entry.Key}' takes all mail of the account {account.Address}, which gets none; for a copy add {account.Address} to the targets");
    }

    private static bool LeadsTo(DirectorySnapshot snapshot, MailAccount account) =>
        new Expansion(snapshot).Run(account.Address) is Resolution.Recipients { Targets: var targets } && targets.Any(t => t is Target.Local local && local.Account == account);

    private void CheckTarget(DirectorySnapshot snapshot, AliasEntry entry, AliasName target)
    {
        DomainName domain = target.Domain ?? snapshot.Aliases.Origin[entry.File];
        if (target.User is null || !_domains.ContainsKey(domain) || !EmailAddress.TryCreate(target.User, domain, out EmailAddress address)) return;
        string? fault = new Expansion(snapshot).Run(address) switch
        {
            Resolution.Unknown => $"the target {address} does not exist: there is no such account and no alias",
            Resolution.Loop loop => $"the target {address} leads in a circle or too deep, at {loop.At}",
            Resolution.TooMany many => $"the target {address} becomes more than {many.Limit} addresses",
            _ => null,
        };
        if (fault is not null) Complain(ProblemSeverity.Error, entry.File, entry.Line, fault);
    }

    // The trap of every catch-all in Postfix: it takes the mail of mailboxes too.
    private void CheckCatchAll(DirectorySnapshot snapshot, AliasEntry entry)
    {
        List<MailAccount> taken = [.. snapshot.Accounts.Where(account => account.Address.Domain == entry.Key.Domain && IsTaken(snapshot, entry, account))];
        if (taken.Count == 0) return;
        string names = string.Join(", ", taken.Take(5)) + (taken.Count > 5 ? $" and {taken.Count - 5} more" : "");
        Complain(ProblemSeverity.Warning, entry.File, entry.Line,
            $"'{entry.Key}' also takes the mail of the accounts {names}, as in Postfix; to keep theirs, write a line '{taken[0]} {taken[0]}' for each");
    }

    private static bool IsTaken(DirectorySnapshot snapshot, AliasEntry catchAll, MailAccount account)
    {
        if (snapshot.Aliases.Full.ContainsKey(account.Address) || snapshot.Aliases.Bare.ContainsKey(account.Address)) return false;
        return snapshot.Aliases.CatchAll.TryGetValue(account.Address.Domain, out AliasEntry? entry) && entry == catchAll && !LeadsTo(snapshot, account);
    }

    private void Complain(ProblemSeverity severity, string file, int line, string text) => _problems.Add(new(severity, file, line, text));
}
