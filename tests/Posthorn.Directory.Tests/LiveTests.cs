using Posthorn.Core;

namespace Posthorn.Directory.Tests;

/// <summary>Files that change, the memory of successes, and how often hashes are computed.</summary>
public sealed class LiveTests
{
    private const string Argon = "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"; // password
    private const string Crypt = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"; // Hello world!

    [Fact]
    public void A_changed_file_is_seen_after_a_second_and_not_before()
    {
        using World world = new("ann:{PLAIN}a\n");
        Assert.Null(world.Directory.FindLogin("bob"));
        world.Write(world.Users, "ann:{PLAIN}a\nbob:{PLAIN}b\n");
        world.Time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.Null(world.Directory.FindLogin("bob"));
        world.Time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.NotNull(world.Directory.FindLogin("bob"));
    }

    [Fact]
    public void An_unchanged_file_is_not_read_again()
    {
        using World world = new("ann:{PLAIN}a\n", "info ann\n");
        Assert.NotNull(world.Directory.FindLogin("ann"));
        int reads = world.Directory.FileReads;
        for (int i = 0; i < 5; i++)
        {
            world.SecondPasses();
            Assert.NotNull(world.Directory.FindLogin("ann"));
        }
        Assert.Equal(reads, world.Directory.FileReads);
    }

    [Fact]
    public void A_change_within_the_grain_of_timestamps_is_seen()
    {
        using World world = new("ann:{PLAIN}a\n");
        File.SetLastWriteTimeUtc(world.Users, world.Time.GetUtcNow().UtcDateTime);
        Assert.NotNull(world.Directory.FindLogin("ann"));
        File.WriteAllText(world.Users, "bob:{PLAIN}a\n");
        File.SetLastWriteTimeUtc(world.Users, world.Time.GetUtcNow().UtcDateTime);
        world.SecondPasses();
        Assert.NotNull(world.Directory.FindLogin("bob"));
    }

    [Fact]
    public void What_a_login_rests_on_changes_with_the_password_and_ends_with_the_account()
    {
        using World world = new("ann:{PLAIN}a\nbob:{PLAIN}b\n");
        MailAccount ann = world.Directory.FindLogin("ann")!, bob = world.Directory.FindLogin("bob")!;
        int annThen = world.Directory.Standing(ann), bobThen = world.Directory.Standing(bob), news = 0;
        world.Directory.Changed += () => news++;
        world.Write(world.Users, "carl:{PLAIN}c\nann:{PLAIN}other\n");
        world.SecondPasses();
        world.Directory.Look();
        Assert.Equal(1, news);
        Assert.NotEqual(annThen, world.Directory.Standing(ann));
        Assert.Equal(0, world.Directory.Standing(bob));
        world.Write(world.Users, "bob:{PLAIN}b\n# a comment\n");
        world.SecondPasses();
        Assert.Equal(bobThen, world.Directory.Standing(bob));
    }

    [Fact]
    public void What_a_login_rests_on_changes_with_the_place_of_the_mail()
    {
        using World world = new("ann:{PLAIN}a\nbob:{PLAIN}b\n");
        MailAccount ann = world.Directory.FindLogin("ann")!, bob = world.Directory.FindLogin("bob")!;
        int annThen = world.Directory.Standing(ann), bobThen = world.Directory.Standing(bob);
        world.Write(world.Users, "ann:{PLAIN}a::::/elsewhere/ann::\nbob:{PLAIN}b\n");
        world.SecondPasses();
        Assert.NotEqual(annThen, world.Directory.Standing(ann));
        Assert.Equal(bobThen, world.Directory.Standing(bob));
    }

    [Fact]
    public void Aliases_change_too()
    {
        using World world = new("ann:{PLAIN}a\n");
        Assert.Equal("Unknown", world.Route("info@example.org"));
        world.Write(world.Virtual, "info ann\n");
        world.SecondPasses();
        Assert.Equal("=ann@example.org", world.Route("info@example.org"));
    }

    [Fact]
    public void A_file_that_goes_away_keeps_its_content_and_says_so()
    {
        using World world = new("ann:{PLAIN}a\n");
        Assert.Empty(world.Directory.Problems);
        File.Delete(world.Users);
        world.SecondPasses();
        Assert.NotNull(world.Directory.FindLogin("ann"));
        Assert.Equal(["Error users:0"], world.ProblemTexts);
        world.Write(world.Users, "bob:{PLAIN}a\n");
        world.SecondPasses();
        Assert.Null(world.Directory.FindLogin("ann"));
        Assert.Empty(world.Directory.Problems);
    }

    [Fact]
    public async Task While_a_file_was_never_read_nobody_is_unknown()
    {
        using World world = new("ann:{PLAIN}a\n");
        File.Delete(world.Virtual);
        Assert.Equal("Unavailable", world.Route("info@example.org"));
        Assert.Equal("=ann@example.org", world.Route("ann@example.org"));
        Assert.Equal("NotOurs", world.Route("info@far.example"));
        Assert.IsType<AuthOutcome.Temporary>(await world.LoginAsync("bob", "x"));
        world.Write(world.Virtual, "");
        world.SecondPasses();
        Assert.Equal("Unknown", world.Route("info@example.org"));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.UnknownUser), await world.LoginAsync("bob", "x"));
    }

    [Fact]
    public void A_file_emptied_for_a_moment_is_not_believed()
    {
        using World world = new("ann:{PLAIN}a\n");
        Assert.NotNull(world.Directory.FindLogin("ann"));
        world.Write(world.Users, "");
        world.SecondPasses();
        Assert.NotNull(world.Directory.FindLogin("ann"));
        world.SecondPasses();
        Assert.Null(world.Directory.FindLogin("ann"));
    }

    [Fact]
    public void A_file_above_the_limit_is_refused()
    {
        using World world = new("ann:{PLAIN}a\n");
        world.Options = world.Options with { Limits = new() { MaxFileOctets = 20 } };
        Assert.NotNull(world.Directory.FindLogin("ann"));
        world.Write(world.Users, "bob:{PLAIN}a\n" + new string('#', 20));
        world.SecondPasses();
        Assert.NotNull(world.Directory.FindLogin("ann"));
        Assert.Equal(["Error users:0"], world.ProblemTexts);
    }

    [Fact]
    public void Broken_lines_are_told_and_the_rest_works()
    {
        using World world = new("""
            # all is well below but where it is not
            ann:{PLAIN}a
            a@b@:{PLAIN}x
            :no user
            bob:{NTLM}x
            ann@example.org:{PLAIN}again
            carl@far.example:{PLAIN}x
            ../../etc:{PLAIN}x
            dora:{PLAIN}d::::::userdb_quota_rule=*:storage=much allow_nets=banana userdb_color=red
            emil:clear text
            lonely
            """);
        Assert.Equal(
            ["Error users:10", "Error users:3", "Error users:5", "Error users:6", "Error users:7", "Error users:8", "Error users:9", "Error users:9", "Note users:9", "Warning users:11"],
            world.ProblemTexts.OrderBy(static p => p, StringComparer.Ordinal));
        Assert.Equal(["ann@example.org", "bob@example.org", "dora@example.org", "emil@example.org", "lonely@example.org"], world.Directory.Accounts.Select(static a => a.ToString()));
        Assert.DoesNotContain(world.Directory.Problems, static p => p.Text.Contains("clear text", StringComparison.Ordinal) && !p.Text.Contains("crypt(3)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_success_is_remembered_until_it_is_old_or_the_hash_changes()
    {
        using World world = new($"ann:{Argon}\nbob:{{PLAIN}}x\n");
        async Task<int> Hashes(string login, string password)
        {
            int before = world.Directory.Verifier.Computations;
            await world.LoginAsync(login, password);
            return world.Directory.Verifier.Computations - before;
        }
        Assert.Equal(1, await Hashes("ann", "password"));
        Assert.Equal(0, await Hashes("ANN@example.org", "password"));
        Assert.Equal(1, await Hashes("ann", "Password"));
        Assert.Equal(1, await Hashes("ann", "Password"));
        world.Time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(1, await Hashes("ann", "password"));
        world.Write(world.Users, $"ann:{Crypt}\n");
        world.SecondPasses();
        Assert.Equal(1, await Hashes("ann", "password"));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.WrongPassword), await world.LoginAsync("ann", "password"));
    }

    [Fact]
    public async Task Whoever_cannot_log_in_costs_as_much_as_a_wrong_password()
    {
        using World world = new($"ann:{Crypt}\nbob:{Crypt}\nold:{{PLAIN}}x\nlocked:!\nnear:{Crypt}::::::allow_nets=127.0.0.1\n", otherUsers: $"ann:{Crypt}\n");
        foreach (string login in (string[])["bob", "nobody", "nobody@far.example", "ann", "locked", "near", "@", ""])
        {
            int before = world.Directory.Verifier.Computations;
            Assert.IsType<AuthOutcome.Denied>(await world.LoginAsync(login, "wrong"));
            Assert.Equal(1, world.Directory.Verifier.Computations - before);
            // The password of the account that serves as decoy opens nothing.
            if (login != "bob") Assert.IsType<AuthOutcome.Denied>(await world.LoginAsync(login, "Hello world!"));
        }
        Assert.Equal(0, world.Directory.Verifier.Cache.Count);
    }

    [Fact]
    public async Task Too_many_slow_logins_at_once_are_a_temporary_failure()
    {
        using World world = new($"ann:{Argon}\n");
        // One place less than nobody waiting: even the first finds the queue full.
        world.Options = world.Options with { Limits = new() { Argon2AtOnce = 1, Argon2Waiting = -1 } };
        Assert.IsType<AuthOutcome.Temporary>(await world.LoginAsync("ann", "password"));
    }
}
