using Posthorn.Core;
using Posthorn.Directory;

namespace Posthorn.Transport.Tests.Fakes;

/// <summary>A directory of a few domains, accounts and aliases.</summary>
internal sealed class FakeDirectory : IDirectory
{
    private readonly Dictionary<EmailAddress, MailAccount> _accounts = [];
    private readonly Dictionary<EmailAddress, EmailAddress[]> _aliases = [];

    /// <summary>A file of accounts could never be read.</summary>
    public bool IsIncomplete { get; set; }

    public HashSet<DomainName> Domains { get; } = [DomainName.Create("example.org")];
    public DomainName DefaultDomain => DomainName.Create("example.org");
    public IReadOnlyCollection<MailAccount> Accounts => _accounts.Values;

    public MailAccount AddAccount(string address, long? quota = null, string root = "")
    {
        EmailAddress parsed = EmailAddress.Parse(address);
        return _accounts[parsed] = new() { Address = parsed, MailRoot = $"{root}/mail/{address}", Home = $"{root}/home/{address}", QuotaBytes = quota };
    }

    /// <summary>Puts all homes below a folder.</summary>
    public void MoveHomes(string folder)
    {
        foreach ((EmailAddress address, MailAccount account) in _accounts.ToArray()) _accounts[address] = account with { Home = $"{folder}/{address}" };
    }

    public void AddAlias(string address, params string[] targets) => _aliases[EmailAddress.Parse(address)] = [.. targets.Select(EmailAddress.Parse)];

    /// <summary>Everybody's password is <c>secret</c>.</summary>
    public ValueTask<AuthOutcome> AuthenticateAsync(LoginRequest request, CancellationToken cancel) =>
        new(FindLogin(request.Login) is { } account && request.Password.Span.SequenceEqual("secret"u8) ? new AuthOutcome.Success(account, PasswordForm.AsSent) : new AuthOutcome.Denied(DenialKind.WrongPassword));

    public ScramLookup FindScramKeys(ScramRequest request) => throw new InvalidOperationException("Nobody logs in here.");
    public IReadOnlyList<string> MechanismsFor(LoginContext context) => ["PLAIN"];
    public bool MayUsePasswords(LoginContext context) => false;
    public bool IsLocalDomain(DomainName domain) => Domains.Contains(domain);

    public Resolution Resolve(EmailAddress recipient)
    {
        if (!IsLocalDomain(recipient.Domain)) return new Resolution.NotOurs();
        List<Target> targets = [];
        if (Expand(recipient, targets, 0) is { } loop) return loop;
        if (targets.Count == 0 && IsIncomplete) return new Resolution.Unavailable();
        return targets.Count == 0 ? new Resolution.Unknown() : new Resolution.Recipients(targets);
    }

    public MailAccount? FindAccount(EmailAddress address) => _accounts.GetValueOrDefault(WithoutDetail(address));
    public MailAccount? FindLogin(string login) => EmailAddress.TryParse(login.Contains('@', StringComparison.Ordinal) ? login : $"{login}@{DefaultDomain}", out EmailAddress address) ? FindAccount(address) : null;

    public bool MaySendAs(MailAccount account, ReversePath from) =>
        from.IsNull || WithoutDetail(from.Address) == account.Address || Resolve(from.Address) is Resolution.Recipients { Targets: [Target.Local only] } && only.Account == account;

    public string? Detail(EmailAddress address) => address.LocalPart.Split('+', 2) is [_, string detail] ? detail : null;

    private Resolution.Loop? Expand(EmailAddress address, List<Target> targets, int depth)
    {
        if (depth > 10) return new(address);
        if (!IsLocalDomain(address.Domain)) targets.Add(new Target.Remote(address));
        else if (_aliases.TryGetValue(address, out EmailAddress[]? next))
        {
            foreach (EmailAddress target in next)
                if (Expand(target, targets, depth + 1) is { } loop) return loop;
        }
        else if (FindAccount(address) is { } account && !targets.OfType<Target.Local>().Any(target => target.Account == account)) targets.Add(new Target.Local(account, address, Detail(address)));
        return null;
    }

    private static EmailAddress WithoutDetail(EmailAddress address) =>
        address.LocalPart.Split('+', 2) is [{ Length: > 0 } name, _] && EmailAddress.TryCreate(name, address.Domain, out EmailAddress plain) ? plain : address;
}
