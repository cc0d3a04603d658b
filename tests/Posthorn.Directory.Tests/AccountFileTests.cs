using Posthorn.Core;
using Posthorn.Directory.Files;
using Posthorn.Directory.Passwords;

namespace Posthorn.Directory.Tests;

public sealed class AccountFileTests
{
    private static readonly DomainName Domain = DomainName.Create(World.Example);
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Lines_are_changed_one_at_a_time()
    {
        using World world = new("# staff\nann:{PLAIN}a:1000:1000::/home/ann::userdb_x=1\n\n# guests\nbob@other.example:{PLAIN}b\n");
        AccountFile file = new(world.Users, Domain, TimeProvider.System);
        UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        File.SetUnixFileMode(world.Users, mode);

        Assert.True((await file.AddAsync(EmailAddress.Parse("carl@example.org"), "{PLAIN}c", true, Cancel)).IsOk);
        Assert.True((await file.AddAsync(EmailAddress.Parse("dora@other.example"), "{PLAIN}d", true, Cancel)).IsOk);
        Assert.True((await file.SetPasswordAsync(EmailAddress.Parse("ANN@example.org"), "{PLAIN}new", Cancel)).IsOk);
        Assert.True((await file.RemoveAsync(EmailAddress.Parse("bob@other.example"), Cancel)).IsOk);

        Assert.Equal("# staff\nann:{PLAIN}new:1000:1000::/home/ann::userdb_x=1\n\n# guests\ncarl:{PLAIN}c::::::\ndora@other.example:{PLAIN}d::::::\n", File.ReadAllText(world.Users));
        Assert.Equal(["ann@example.org", "carl@example.org", "dora@other.example"], file.List().Select(static a => a.ToString()));
        Assert.Equal(mode, File.GetUnixFileMode(world.Users));
    }

    [Fact]
    public async Task What_cannot_be_done_is_refused_and_changes_nothing()
    {
        const string text = "ann:{PLAIN}a\n";
        using World world = new(text);
        AccountFile file = new(world.Users, Domain, TimeProvider.System);
        Assert.Equal(RefusalKind.AlreadyExists, (await file.AddAsync(EmailAddress.Parse("Ann@example.org"), "x", true, Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.NoSuchAccount, (await file.RemoveAsync(EmailAddress.Parse("bob@example.org"), Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.NoSuchAccount, (await file.SetPasswordAsync(EmailAddress.Parse("bob@example.org"), "x", Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.BadName, (await file.AddAsync(EmailAddress.Parse("bob@example.org"), "a:b", true, Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.BadName, (await file.AddAsync(EmailAddress.Parse("\"b:c\"@example.org"), "x", true, Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.BadName, (await file.AddAsync(EmailAddress.Parse("#b@example.org"), "x", true, Cancel)).Refusal.Kind);
        Assert.Equal(text, File.ReadAllText(world.Users));
    }

    [Fact]
    public async Task A_missing_file_is_made_for_its_owner_alone_and_written_by_many_at_once()
    {
        using World world = new("");
        File.Delete(world.Users);
        AccountFile file = new(world.Users, Domain, TimeProvider.System);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => file.AddAsync(EmailAddress.Parse($"u{i}@example.org"), "{PLAIN}x", true, Cancel).AsTask()));
        Assert.Equal(8, file.List().Count);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(world.Users));
    }

    [Fact]
    public async Task A_link_stays_a_link()
    {
        using World world = new("ann:{PLAIN}a\n");
        string link = world.Users + "-link";
        File.CreateSymbolicLink(link, world.Users);
        Assert.True((await new AccountFile(link, Domain, TimeProvider.System).RemoveAsync(EmailAddress.Parse("ann@example.org"), Cancel)).IsOk);
        Assert.NotNull(new FileInfo(link).LinkTarget);
        Assert.Equal("", File.ReadAllText(world.Users));
    }

    [Fact]
    public async Task A_held_lock_ends_in_a_refusal()
    {
        using World world = new("ann:{PLAIN}a\n");
        using Microsoft.Win32.SafeHandles.SafeFileHandle other = Libc.OpenDirectory(Path.GetDirectoryName(world.Users)!);
        Assert.True(Libc.TryLock(other));
        AccountFile file = new(world.Users, Domain, new HurryingTime());
        Assert.Equal(RefusalKind.Unavailable, (await file.RemoveAsync(EmailAddress.Parse("ann@example.org"), Cancel)).Refusal.Kind);
    }

    [Fact]
    public async Task What_is_written_logs_in()
    {
        using World world = new("");
        AccountFile file = new(world.Users, Domain, TimeProvider.System);
        await file.AddAsync(EmailAddress.Parse("ann@example.org"), PasswordHasher.Argon2Id("correct horse"), true, Cancel);
        await file.AddAsync(EmailAddress.Parse("bob@example.org"), PasswordHasher.ScramSha256("pärdschäl"), true, Cancel);
        Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("ann", "correct horse"));
        Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("bob", "pärdschäl"));
        Assert.StartsWith("ann:{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$", File.ReadAllText(world.Users), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Aliases_are_changed_one_at_a_time()
    {
        using World world = new("ann:{PLAIN}a\n", "# top\ninfo ann,\n  # inside\n  bob\nsales ann\n");
        AliasFile file = new(world.Virtual, TimeProvider.System);
        Assert.Equal(RefusalKind.AlreadyExists, (await file.AddAsync("INFO", ["x@y.example"], Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.BadName, (await file.AddAsync("pipe", ["|cat"], Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.BadName, (await file.AddAsync("a", ["b\nevil c"], Cancel)).Refusal.Kind);
        Assert.Equal(RefusalKind.BadName, (await file.AddAsync("a", [], Cancel)).Refusal.Kind);
        Assert.True((await file.AddAsync("@example.org", ["ann", "bob@far.example"], Cancel)).IsOk);
        Assert.True((await file.RemoveAsync("info", Cancel)).IsOk);
        Assert.Equal(RefusalKind.NoSuchAccount, (await file.RemoveAsync("info", Cancel)).Refusal.Kind);
        Assert.Equal("# top\n  # inside\nsales ann\n@example.org ann, bob@far.example\n", File.ReadAllText(world.Virtual));
        Assert.Equal(["sales", "@example.org"], file.List().Select(static e => e.Name));
    }

    /// <summary>A clock on which every wait is over at once.</summary>
    private sealed class HurryingTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}
