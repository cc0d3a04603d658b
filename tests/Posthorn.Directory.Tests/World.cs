using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;

namespace Posthorn.Directory.Tests;

/// <summary>A directory over files in a folder of its own, with a clock that stands still.</summary>
internal sealed class World : IDisposable
{
    public const string Example = "example.org";
    public const string Other = "other.example";

    private readonly string _folder = System.IO.Directory.CreateTempSubdirectory("posthorn-directory-").FullName;
    private MailDirectory? _directory;
    private int _writes;

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.Zero));

    public string Users => Path.Combine(_folder, "users");
    public string OtherUsers => Path.Combine(_folder, "other-users");
    public string Virtual => Path.Combine(_folder, "virtual");

    public MailDirectory Directory => _directory ??= new(Options, Time, NullLogger.Instance);

    public DirectoryOptions Options { get; set; }

    public static LoginContext Secure { get; } = new(System.Net.IPAddress.Parse("192.0.2.7"), true, "imap");
    public static LoginContext Clear { get; } = new(System.Net.IPAddress.Parse("192.0.2.7"), false, "imap");

    public World(string users, string aliases = "", string? otherUsers = null)
    {
        Write(Users, users);
        Write(Virtual, aliases);
        if (otherUsers is not null) Write(OtherUsers, otherUsers);
        Options = new()
        {
            Domains =
            [
                new() { Name = DomainName.Create(Example), RecipientDelimiter = "+", Aliases = [Virtual] },
                new() { Name = DomainName.Create(Other), RecipientDelimiter = "+-", PasswdFile = otherUsers is null ? null : OtherUsers },
            ],
            PasswdFile = Users,
            MailHomeTemplate = "/srv/mail/{domain}/{localpart}/home",
            MailLocationTemplate = "maildir:/srv/mail/{domain}/{localpart}",
        };
    }

    /// <summary>Writes a file with a time of change of its own, well before the fake clock's now.</summary>
    public void Write(string path, string text)
    {
        File.WriteAllText(path, text);
        File.SetLastWriteTimeUtc(path, new DateTime(2026, 4, 1, 0, 0, 0, DateTimeKind.Utc).AddMinutes(++_writes));
    }

    public void SecondPasses() => Time.Advance(TimeSpan.FromSeconds(1));

    public Task<AuthOutcome> LoginAsync(string login, string password, LoginContext? context = null) =>
        LoginAsync(login, System.Text.Encoding.UTF8.GetBytes(password), context);

    public Task<AuthOutcome> LoginAsync(string login, byte[] password, LoginContext? context = null) =>
        Directory.AuthenticateAsync(new(login, password, context ?? Secure), TestContext.Current.CancellationToken).AsTask();

    /// <summary>Where a recipient ends, as text: <c>=account</c> or <c>=account+detail</c>, <c>&gt;remote</c>, or the name of the case.</summary>
    public string Route(string address)
    {
        Resolution resolution = Directory.Resolve(EmailAddress.Parse(address));
        return resolution is Resolution.Recipients { Targets: var targets }
            ? string.Join(' ', targets.Select(static t => t switch
            {
                Target.Local local => $"={local.Account}{(local.Detail is null ? "" : "/" + local.Detail)}",
                Target.Remote remote => $">{remote.Address}",
                _ => "?",
            }))
            : resolution.GetType().Name;
    }

    public string[] ProblemTexts => [.. Directory.Problems.Select(static p => $"{p.Severity} {Path.GetFileName(p.File)}:{p.Line}")];

    public void Dispose()
    {
        _directory?.Dispose();
        System.IO.Directory.Delete(_folder, true);
    }
}
