using System.Text;
using Posthorn.Core;
using Posthorn.Directory;

namespace Posthorn.Smtp.Tests.Fakes;

/// <summary>One account, ann@example.org with the password <c>secret</c>; the user <c>later</c> cannot be checked now.</summary>
internal sealed class FakeDirectory : IDirectory
{
    public static readonly MailAccount Ann = new() { Address = EmailAddress.Parse("ann@example.org"), MailRoot = "/mail/ann", Home = "/home/ann" };

    /// <summary>Counts the changes of passwords.</summary>
    public int Passwords { get; set; }

    public int Standing(MailAccount account) => Passwords;
    public DomainName DefaultDomain { get; } = DomainName.Create("example.org");
    public IReadOnlyCollection<MailAccount> Accounts => [Ann];

    public ValueTask<AuthOutcome> AuthenticateAsync(LoginRequest request, CancellationToken cancel)
    {
        if (!request.Context.IsSecure) return new(new AuthOutcome.Denied(DenialKind.NotSecure));
        if (request.Login == "later") return new(new AuthOutcome.Temporary("busy"));
        if (FindLogin(request.Login) is not { } account) return new(new AuthOutcome.Denied(DenialKind.UnknownUser));
        return new(request.Password.Span.SequenceEqual(Encoding.UTF8.GetBytes("secret"))
            ? new AuthOutcome.Success(account, PasswordForm.AsSent)
            : new AuthOutcome.Denied(DenialKind.WrongPassword));
    }

    public ScramLookup FindScramKeys(ScramRequest request) => throw new NotSupportedException();
    public IReadOnlyList<string> MechanismsFor(LoginContext context) => ["PLAIN", "LOGIN"];
    public bool MayUsePasswords(LoginContext context) => context.IsSecure;
    public bool IsLocalDomain(DomainName domain) => domain == DefaultDomain;
    public Resolution Resolve(EmailAddress recipient) => new Resolution.Unknown();
    public MailAccount? FindAccount(EmailAddress address) => address == Ann.Address ? Ann : null;
    public MailAccount? FindLogin(string login) => login is "ann" or "ann@example.org" ? Ann : null;
    public bool MaySendAs(MailAccount account, ReversePath from) => true;
    public string? Detail(EmailAddress address) => null;
}
