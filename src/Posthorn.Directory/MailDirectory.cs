using System.Net;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory.Aliases;
using Posthorn.Directory.Files;
using Posthorn.Directory.Passwords;
using Posthorn.Directory.Sasl;

namespace Posthorn.Directory;

/// <summary>The directory made of passwd-files and alias files, which are read again when they change.</summary>
/// <remarks>Locking: <c>_refresh</c> guards the files and the making of a snapshot; readers take the snapshot without a lock,
/// and whoever finds a check due while another makes it goes on with the old one.</remarks>
public sealed class MailDirectory : IDirectory, IAccountLimits, IDisposable
{
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly PasswordVerifier _verifier;
    private readonly FailedLogins _failures;
    private readonly Lock _refresh = new();
    private readonly ScramSecrets _scram;
    private FileSet _files;
    private HashSet<DirectoryProblem> _reported = [];
    private volatile DirectorySnapshot _snapshot;
    private long _lastCheck;

    public MailDirectory(DirectoryOptions options, TimeProvider time, ILogger log)
    {
        (_time, _log) = (time, log);
        _verifier = new(options.Limits, time);
        _failures = new(time);
        _scram = new(options, log);
        lock (_refresh)
        {
            _files = new(options, null, time);
            _files.Refresh();
            _snapshot = Make();
        }
    }

    /// <summary>Raised after domains, accounts or aliases have changed; from the thread that noticed, outside all locks.</summary>
    public event Action? Changed;

    /// <summary>All that is wrong with the files now.</summary>
    public IReadOnlyList<DirectoryProblem> Problems => Now().Problems;

    public DomainName DefaultDomain => Now().DefaultDomain;

    public IReadOnlyCollection<MailAccount> Accounts => Now().Accounts;

    internal PasswordVerifier Verifier => _verifier;

    internal int FileReads
    {
        get { lock (_refresh) return _files.Reads; }
    }

    /// <summary>Swaps to other options. Files that both name keep their last good content. The limits of password checking stay as they were.</summary>
    public void Reload(DirectoryOptions options)
    {
        lock (_refresh)
        {
            _files = new(options, _files, _time);
            _files.Refresh();
            _snapshot = Make();
        }
        Changed?.Invoke();
    }

    public async ValueTask<Result<Done>> SetQuotaAsync(MailAccount account, long? bytes, long? messages, CancellationToken cancel)
    {
        DirectoryOptions options = Now().Options;
        Result<Done> outcome = new Refusal(RefusalKind.NoSuchAccount, $"No passwd-file has {account}");
        string? own = options.Domains.FirstOrDefault(domain => domain.Name == account.Address.Domain)?.PasswdFile;
        foreach (string? path in (string?[])[own, options.PasswdFile])
        {
            if (path is null) continue;
            DomainName bare = path == own ? account.Address.Domain : Now().DefaultDomain;
            outcome = await new AccountFile(path, bare, _time).SetQuotaAsync(account.Address, bytes, messages, cancel);
            if (outcome.IsOk || outcome.Refusal.Kind != RefusalKind.NoSuchAccount) break;
        }

        if (outcome.IsOk) Reload(options);
        return outcome;
    }

    /// <summary>Looks whether the files have changed. Questions do that too; this is for when nobody asks any.</summary>
    public void Look() => Now();

    public int Standing(MailAccount account)
    {
        if (!Now().ByAddress.TryGetValue(account.Address, out AccountEntry? entry)) return 0;
        HashCode standing = new();
        standing.Add(entry.Line.Password?.Source);
        standing.Add(entry.Line.NoPassword);
        standing.Add(entry.Line.AllowLocal);
        // What a session has open lies there.
        standing.Add(entry.Account.MailRoot);
        standing.Add(entry.Account.Home);
        standing.Add(entry.Account.TreeOf);
        foreach (IPNetwork network in entry.Line.AllowNets ?? []) standing.Add(network);
        return standing.ToHashCode() | 1;
    }

    public bool IsLocalDomain(DomainName domain) => Now().Domains.ContainsKey(domain);

    public Resolution Resolve(EmailAddress recipient) => new Expansion(Now()).Run(recipient);

    public MailAccount? FindAccount(EmailAddress address) => Now().Find(address, out _)?.Account;

    public MailAccount? FindLogin(string login) => FindEntry(Now(), login, out _)?.Account;

    public string? Detail(EmailAddress address)
    {
        DirectorySnapshot snapshot = Now();
        if (snapshot.ByAddress.ContainsKey(address)) return null;
        return snapshot.TrySplit(address, out _, out string extension) && extension.Length > 1 ? extension[1..] : null;
    }

    public string? DetailInTables(EmailAddress address)
    {
        DirectorySnapshot snapshot = Now();
        if (snapshot.ByAddress.ContainsKey(address)) return null;
        return snapshot.TrySplitAny(address, out _, out string extension) && extension.Length > 1 ? extension[1..] : null;
    }

    public bool MaySendAs(MailAccount account, ReversePath from)
    {
        if (from.IsNull) return true;
        DirectorySnapshot snapshot = Now();
        if (snapshot.Find(from.Address, out _) is { } own) return own.Account.Equals(account);
        if (new Expansion(snapshot).Run(from.Address) is not Resolution.Recipients { Targets: var targets }) return false;
        return (targets.Count == 1 || snapshot.Options.SharedAliases) && targets.Any(target => target is Target.Local local && local.Account.Equals(account));
    }

    public IReadOnlyList<string> MechanismsFor(LoginContext context)
    {
        DirectorySnapshot snapshot = Now();
        bool clear = MayUseClearText(snapshot, context);
        return [.. snapshot.Options.Mechanisms.Where(name => SaslExchange.IsKnown(name) && (SaslExchange.ScramHashOf(name) is { } hash ? snapshot.ScramForAll.Contains(hash) : clear))];
    }

    public bool MayUsePasswords(LoginContext context) => MayUseClearText(Now(), context);

    public async ValueTask<AuthOutcome> AuthenticateAsync(LoginRequest request, CancellationToken cancel)
    {
        DirectoryOptions options = Now().Options;
        if (ShutOut(request.Context) is { } shut) return shut;
        AuthOutcome outcome = await CheckAsync(request, cancel);
        return _failures.Ended(request.Context, FindLogin(request.Login)?.Address, outcome, options);
    }

    public AuthOutcome.Temporary? ShutOut(LoginContext context)
    {
        AuthOutcome.Temporary? shut = _failures.Shut(context, Now().Options);
        if (shut is not null) _log.ShutOut(context.RemoteAddress!.ToString(), context.Protocol);
        return shut;
    }

    public AuthOutcome ScramEnded(LoginContext context, string login, AuthOutcome outcome) => _failures.Ended(context, FindLogin(login)?.Address, outcome, Now().Options);

    private async ValueTask<AuthOutcome> CheckAsync(LoginRequest request, CancellationToken cancel)
    {
        DirectorySnapshot snapshot = Now();
        if (!MayUseClearText(snapshot, request.Context)) return new AuthOutcome.Denied(DenialKind.NotSecure);
        // A NUL would end the password for crypt(3), and what follows it would not count.
        if (request.Password.Length == 0 || request.Password.Length > snapshot.Options.Limits.MaxPasswordOctets || request.Password.Span.Contains((byte)0))
            return new AuthOutcome.Denied(DenialKind.Malformed);

        AccountEntry? entry = Admit(snapshot, request.Login, request.AuthorizeAs, request.Context, out DenialKind denial);
        if (entry is { Line.NoPassword: true }) return new AuthOutcome.Success(entry.Account, PasswordForm.AsSent);
        if (entry is null && denial == DenialKind.UnknownUser && snapshot.IsIncomplete) return new AuthOutcome.Temporary("The list of accounts cannot be read now, try again later");
        if (entry is { Line.Password: null }) (entry, denial) = (null, DenialKind.NoUsablePassword);

        // For names that nobody has, the same work is done, so that the time does not tell.
        StoredPassword? stored = entry?.Line.Password ?? snapshot.Decoy;
        if (stored is null) return new AuthOutcome.Denied(denial);
        (Verdict verdict, PasswordForm form) = await _verifier.VerifyAsync(entry?.Account.Address.ToString(), stored, request.Password, cancel);
        if (verdict == Verdict.Busy) return new AuthOutcome.Temporary("Too many logins at once, try again later");
        if (entry is null) return new AuthOutcome.Denied(denial);
        switch (verdict)
        {
            case Verdict.Match:
                if (form != PasswordForm.AsSent) _log.OtherForm(entry.Account, form);
                return new AuthOutcome.Success(entry.Account, form);
            case Verdict.Unusable:
                _log.Uncheckable(entry.Account);
                return new AuthOutcome.Denied(DenialKind.NoUsablePassword);
            default:
                return new AuthOutcome.Denied(DenialKind.WrongPassword);
        }
    }

    public ScramLookup FindScramKeys(ScramRequest request)
    {
        DirectorySnapshot snapshot = Now();
        AccountEntry? entry = Admit(snapshot, request.Login, request.AuthorizeAs, request.Context, out DenialKind denial);
        (int, int) shape = snapshot.ScramShape[request.Hash];
        if (ShutOut(request.Context) is { } shut) return new(_scram.MadeUp("", request.Hash, shape), shut);
        switch (entry?.Line.Password)
        {
            case StoredPassword.Scram scram when scram.Keys.Hash == request.Hash:
                return new(scram.Keys, new AuthOutcome.Success(entry.Account, PasswordForm.SaslPrep));
            case StoredPassword.Plain plain:
                ScramKeys shown = _scram.MadeUp(entry.Account.Address.ToString(), request.Hash, (ScramMath.Iterations, ScramMath.SaltLength));
                return new(shown, new AuthOutcome.Success(entry.Account, PasswordForm.SaslPrep)) { Derive = () => _scram.KeysOf(shown, plain) };
            default:
                if (entry is not null) denial = DenialKind.NoUsablePassword;
                // Made-up keys: of one name always the same salt, and a password that nobody can know.
                string name = LoginName.TryFold(request.Login.Trim(), out string folded) ? folded : "";
                // With the domain or without it, as for accounts.
                if (LoginName.TryParse(request.Login, snapshot.Domains.ContainsKey, out LoginName spelt)) name = $"{spelt.User}@{spelt.Domain ?? snapshot.DefaultDomain}";
                return new(_scram.MadeUp(name, request.Hash, shape), new AuthOutcome.Denied(denial));
        }
    }

    public void Dispose() => _verifier.Dispose();

    // The account that may log in by this name from there, or null and why not.
    private static AccountEntry? Admit(DirectorySnapshot snapshot, string login, string authorizeAs, LoginContext context, out DenialKind denial)
    {
        if (FindEntry(snapshot, login, out denial) is not { } entry) return null;
        denial = DenialKind.Network;
        if (!entry.Line.Admits(context.RemoteAddress)) return null;
        denial = DenialKind.OtherIdentity;
        return authorizeAs.Length > 0 && FindEntry(snapshot, authorizeAs, out _) != entry ? null : entry;
    }

    private static AccountEntry? FindEntry(DirectorySnapshot snapshot, string login, out DenialKind denial)
    {
        denial = DenialKind.Malformed;
        if (login.Length > snapshot.Options.Limits.MaxLoginLength || !LoginName.TryParse(login, snapshot.Domains.ContainsKey, out LoginName name)) return null;
        denial = DenialKind.UnknownUser;
        if (name.Domain is { } domain)
            return EmailAddress.TryCreate(name.User, domain, out EmailAddress address) ? snapshot.ByAddress.GetValueOrDefault(address) : null;
        if (!snapshot.ByUser.TryGetValue(name.User, out IReadOnlyList<AccountEntry>? all)) return null;
        if (all.Count == 1) return all[0];
        denial = DenialKind.AmbiguousName;
        return snapshot.Options.DefaultDomain is { } preferred ? all.FirstOrDefault(a => a.Account.Address.Domain == preferred) : null;
    }

    private static bool MayUseClearText(DirectorySnapshot snapshot, LoginContext context)
    {
        if (context.IsSecure) return true;
        if (context.RemoteAddress is not { } remote) return false;
        if (remote.IsIPv4MappedToIPv6) remote = remote.MapToIPv4();
        foreach (IPNetwork network in snapshot.Options.AuthTrustedNetworks)
            if (network.Contains(remote)) return true;
        return false;
    }

    private DirectorySnapshot Now()
    {
        DirectorySnapshot snapshot = _snapshot;
        if (_time.GetElapsedTime(Volatile.Read(ref _lastCheck)) < snapshot.Options.Limits.FileCheckInterval || !_refresh.TryEnter()) return snapshot;
        bool changed;
        try
        {
            changed = _files.Refresh();
            if (changed) _snapshot = Make();
            Volatile.Write(ref _lastCheck, _time.GetTimestamp());
            snapshot = _snapshot;
        }
        finally { _refresh.Exit(); }
        if (changed) Changed?.Invoke();
        return snapshot;
    }

    private DirectorySnapshot Make()
    {
        DirectorySnapshot snapshot = _files.Build();
        Volatile.Write(ref _lastCheck, _time.GetTimestamp());
        foreach (DirectoryProblem problem in snapshot.Problems.Where(p => !_reported.Contains(p)))
        {
            if (problem.Severity == ProblemSeverity.Error) _log.Error(problem);
            else if (problem.Severity == ProblemSeverity.Warning) _log.Warning(problem);
            else _log.Note(problem);
        }
        _reported = [.. snapshot.Problems];
        _log.Loaded(snapshot.Domains.Count, snapshot.Accounts.Count, snapshot.Problems.Count);
        return snapshot;
    }
}
