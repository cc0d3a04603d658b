using System.Text;
using Posthorn.Core;
using Posthorn.Directory;

namespace Posthorn.Testing.Directories;

/// <summary>Two accounts, ann and bob, whose passwords are their names backwards.</summary>
internal sealed class FakeDirectory(string root) : IDirectory, IAccountLimits
{
    public MailAccount Ann { get; set; } = Account(root, "ann");
    public MailAccount Bob { get; set; } = Account(root, "bob");

    /// <summary>Counts the changes of passwords.</summary>
    public int Passwords { get; set; }

    /// <summary>Passwords are taken without TLS.</summary>
    public bool TrustsEveryNetwork { get; set; } = true;

    public DomainName DefaultDomain { get; } = DomainName.Create("example.org");
    public IReadOnlyCollection<MailAccount> Accounts => [Ann, Bob];

    public ValueTask<AuthOutcome> AuthenticateAsync(LoginRequest request, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (request.Login == "broken") return new(new AuthOutcome.Temporary("The directory cannot be asked now"));
        if (FindLogin(request.Login) is not { } account) return new(new AuthOutcome.Denied(DenialKind.UnknownUser));
        string password = new([.. account.Address.LocalPart.Reverse()]);
        return new(request.Password.Span.SequenceEqual(Encoding.UTF8.GetBytes(password))
            ? new AuthOutcome.Success(account, PasswordForm.AsSent)
            : new AuthOutcome.Denied(DenialKind.WrongPassword));
    }

    public ScramLookup FindScramKeys(ScramRequest request) => throw new NotSupportedException();

    public IReadOnlyList<string> MechanismsFor(LoginContext context) => context.IsSecure || TrustsEveryNetwork ? ["PLAIN", "LOGIN"] : [];
    public bool MayUsePasswords(LoginContext context) => context.IsSecure || TrustsEveryNetwork;
    public ValueTask<Result<Done>> SetQuotaAsync(MailAccount account, long? bytes, long? messages, CancellationToken cancel)
    {
        MailAccount limited = account with { QuotaBytes = bytes, QuotaMessages = messages };
        if (account == Ann) Ann = limited;
        else Bob = limited;
        return new(Done.It);
    }

    public bool IsLocalDomain(DomainName domain) => domain == DefaultDomain;
    public int Standing(MailAccount account) => Passwords;
    public Resolution Resolve(EmailAddress recipient) => new Resolution.Unknown();
    public MailAccount? FindAccount(EmailAddress address) => Accounts.FirstOrDefault(account => account.Address == address);
    public MailAccount? FindLogin(string login) => Accounts.FirstOrDefault(account => account.Address.LocalPart == login || account.Address.ToString() == login);
    public bool MaySendAs(MailAccount account, ReversePath from) => true;
    public string? Detail(EmailAddress address) => null;

    private static MailAccount Account(string root, string name) =>
        new() { Address = EmailAddress.Parse($"{name}@example.org"), MailRoot = $"{root}/mail/{name}", Home = $"{root}/home/{name}" };
}
