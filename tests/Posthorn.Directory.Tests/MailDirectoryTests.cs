using System.Net;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Directory.Tests;

public sealed class MailDirectoryTests
{
    private const string Users = """
        # people
        ann:{PLAIN}secret
        Bob@example.org:{PLAIN}bob's word:1000:1000::/home/bob::userdb_mail=maildir:~/Mail userdb_quota_rule=*:storage=1G:messages=1000
        carl@other.example:{PLAIN}c
        open::::::: nopassword allow_nets=192.0.2.0/24,local
        locked:!{PLAIN}x
        """;

    [Theory]
    [InlineData("ann", "ann@example.org")]
    [InlineData("ANN", "ann@example.org")]
    [InlineData(" ann ", "ann@example.org")]
    [InlineData("ann@example.org", "ann@example.org")]
    [InlineData("Ann@EXAMPLE.org.", "ann@example.org")]
    [InlineData("EXAMPLE\\ann", "ann@example.org")]
    [InlineData("example.org\\Ann", "ann@example.org")]
    [InlineData("WHATEVER\\ann@example.org", "ann@example.org")]
    [InlineData("carl", "carl@other.example")]
    [InlineData("other.example\\carl", "carl@other.example")]
    [InlineData("ann@other.example", null)]
    [InlineData("other.example\\ann", null)]
    [InlineData("ann+x@example.org", null)]
    [InlineData("", null)]
    [InlineData("@example.org", null)]
    [InlineData("\\", null)]
    [InlineData("ann@exa mple", null)]
    public void Every_spelling_of_a_login_means_the_same_account(string login, string? account)
    {
        using World world = new(Users);
        Assert.Equal(account, world.Directory.FindLogin(login)?.ToString());
    }

    [Fact]
    public async Task A_login_succeeds_with_the_right_password_only()
    {
        using World world = new(Users);
        Assert.Equal("ann@example.org", Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("ANN ", "secret")).Account.ToString());
        Assert.Equal(new AuthOutcome.Denied(DenialKind.WrongPassword), await world.LoginAsync("ann", "Secret"));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.WrongPassword), await world.LoginAsync("ann", "secret "));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.UnknownUser), await world.LoginAsync("nobody", "secret"));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.Malformed), await world.LoginAsync("ann", ""));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.Malformed), await world.LoginAsync("ann", "secret\0"));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.NoUsablePassword), await world.LoginAsync("locked", "x"));
        Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("bob", "bob's word"));
    }

    [Fact]
    public async Task Limits_of_name_and_password_are_kept()
    {
        using World world = new(Users);
        Assert.Equal(new AuthOutcome.Denied(DenialKind.WrongPassword), await world.LoginAsync("ann", new string('x', 1024)));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.Malformed), await world.LoginAsync("ann", new string('x', 1025)));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.UnknownUser), await world.LoginAsync(new string('x', 600), "secret"));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.Malformed), await world.LoginAsync(new string('x', 601), "secret"));
    }

    [Fact]
    public async Task Clear_text_passwords_need_tls_or_a_trusted_network()
    {
        using World world = new(Users);
        Assert.Equal(new AuthOutcome.Denied(DenialKind.NotSecure), await world.LoginAsync("ann", "secret", World.Clear));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.NotSecure), await world.LoginAsync("ann", "secret", new(null, false, "imap")));
        world.Directory.Reload(world.Options with { AuthTrustedNetworks = [IPNetwork.Parse("192.0.2.0/24")] });
        Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("ann", "secret", World.Clear));
        Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("ann", "secret", new(IPAddress.Parse("::ffff:192.0.2.9"), false, "imap")));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.NotSecure), await world.LoginAsync("ann", "secret", new(IPAddress.Parse("198.51.100.1"), false, "imap")));
    }

    [Fact]
    public async Task Nopassword_admits_from_its_networks_only()
    {
        using World world = new(Users);
        Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("open", "whatever"));
        Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("open", "whatever", new(null, true, "imap")));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.Network), await world.LoginAsync("open", "whatever", new(IPAddress.Parse("198.51.100.1"), true, "imap")));
    }

    [Fact]
    public async Task A_bare_name_of_several_accounts_is_refused_unless_a_default_domain_is_named()
    {
        using World world = new("ann:{PLAIN}one\n", otherUsers: "ann:{PLAIN}two\n");
        Assert.Equal(["ann@example.org", "ann@other.example"], world.Directory.Accounts.Select(static a => a.ToString()));
        Assert.Equal(new AuthOutcome.Denied(DenialKind.AmbiguousName), await world.LoginAsync("ann", "one"));
        Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("ann@other.example", "two"));
        world.Directory.Reload(world.Options with { DefaultDomain = DomainName.Create(World.Other) });
        Assert.Equal("ann@other.example", world.Directory.FindLogin("ann")?.ToString());
    }

    [Fact]
    public void Places_come_from_templates_or_from_the_line()
    {
        using World world = new(Users);
        MailAccount ann = world.Directory.FindLogin("ann")!, bob = world.Directory.FindLogin("bob")!;
        Assert.Equal(("/srv/mail/example.org/ann", "/srv/mail/example.org/ann/home"), (ann.MailRoot, ann.Home));
        Assert.Equal(("/home/bob/Mail", "/home/bob"), (bob.MailRoot, bob.Home));
        Assert.Equal((1L << 30, 1000L), (bob.QuotaBytes!.Value, bob.QuotaMessages!.Value));
        Assert.Null(ann.QuotaBytes);
    }

    // Two servers, or two catalogues, on one tree would both number it.
    [Theory]
    [InlineData("/srv/mail/bob", true)]
    [InlineData("/srv//mail/./bob/", true)]
    [InlineData("/srv/mail/bob/.Sent", true)]
    [InlineData("/srv/mail/bob/carl", false)]
    [InlineData("/srv/mail/bob/posthorn/.Sent", false)]
    [InlineData("/srv/mail/dan/carl", true)]
    [InlineData("/srv/mail/dan/a/b", true)]
    [InlineData("/srv/mail/danny", false)]
    public void An_account_whose_mail_would_lie_in_anothers_is_named_and_not_served(string root, bool isIn)
    {
        using World world = new($"carl:{{PLAIN}}c::::::userdb_mail=maildir:{root}\nbob:{{PLAIN}}b::::::userdb_mail=maildir:/srv/mail/bob\ndan:{{PLAIN}}d::::::userdb_mail=maildir:/srv/mail/dan:LAYOUT=fs\n");
        MailAccount[] accounts = [.. ((string[])["carl", "bob", "dan"]).Select(name => world.Directory.FindLogin(name)!)];
        string[] named = [.. world.Directory.Problems.Where(problem => problem.Text.Contains("a place of its own", StringComparison.Ordinal)).Select(problem => problem.Text)];
        Assert.Equal(isIn ? 1 : 0, named.Length);
        Assert.Equal(isIn ? 1 : 0, accounts.Count(account => account.TreeOf is not null));
        Assert.All(accounts, account => Assert.True(account.TreeOf is null || account.TreeOf != account.Address));
        Assert.Equal(accounts.Select(account => account.TreeOf), world.Directory.Accounts.Select(account => account.TreeOf));
    }

    [Fact]
    public void A_root_behind_which_no_mail_has_room_is_refused()
    {
        string longest = "/" + string.Join('/', Enumerable.Repeat(new string('r', 99), 34))[..3399];
        using World world = new($"ann:{{PLAIN}}a::::::userdb_mail=maildir:{longest}\nbob:{{PLAIN}}b::::::userdb_mail=maildir:{longest}r\n");
        Assert.Equal("ann@example.org", Assert.Single(world.Directory.Accounts).ToString());
        Assert.Contains(world.Directory.Problems, problem => problem.Severity == ProblemSeverity.Error && problem.Text.Contains("3400 octets", StringComparison.Ordinal));
    }

    [Fact]
    public void Accounts_of_one_name_in_two_domains_need_places_of_their_own()
    {
        using World world = new("ann:{PLAIN}one\n", otherUsers: "ann:{PLAIN}two\n");
        Assert.All(world.Directory.Accounts, account => Assert.Null(account.TreeOf));
        world.Directory.Reload(world.Options with { MailLocationTemplate = "maildir:/srv/mail/{localpart}" });
        Assert.Equal([null, "ann@example.org"], world.Directory.Accounts.Select(account => account.TreeOf?.ToString()));
        Assert.Contains(world.Directory.Problems, problem => problem.Severity == ProblemSeverity.Error && problem.Text.Contains("ann@other.example would lie in /srv/mail/ann", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("é", "C3A9", PasswordForm.AsSent)]
    [InlineData("é", "65CC81", PasswordForm.OpaqueString)]
    [InlineData("é", "E9", PasswordForm.FromLatin1)]
    [InlineData("a b", "61C2A062", PasswordForm.OpaqueString)]
    [InlineData("fix", "EFAC8178", PasswordForm.SaslPrep)]
    public async Task Passwords_match_in_any_usual_encoding(string stored, string sent, PasswordForm form)
    {
        using World world = new($"ann:{{PLAIN}}{stored}\n");
        Assert.Equal(form, Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("ann", Convert.FromHexString(sent))).Form);
    }

    [Fact]
    public async Task A_hash_of_latin1_matches_utf8()
    {
        using World world = new($"ann:{{PLAIN.B64}}{Convert.ToBase64String(Encoding.Latin1.GetBytes("grün"))}\n");
        Assert.Equal(PasswordForm.Latin1, Assert.IsType<AuthOutcome.Success>(await world.LoginAsync("ann", "grün")).Form);
    }

    [Theory]
    [InlineData("ann\uFFFE", "61")]
    [InlineData("ann\uD800", "61")]
    [InlineData("ann@\uFFFE.example", "61")]
    [InlineData("ann", "61EFBFBE")]
    [InlineData("ann", "EDA080")]
    [InlineData("ann", "FF80C3")]
    public async Task Octets_that_are_no_text_are_denied_quietly(string login, string password)
    {
        using World world = new(Users);
        Assert.IsType<AuthOutcome.Denied>(await world.LoginAsync(login, Convert.FromHexString(password)));
        Assert.False(EmailAddress.TryCreate("a\uFFFE", DomainName.Create(World.Example), out _));
    }

    [Fact]
    public void Passwords_are_for_secure_clients()
    {
        using World world = new(Users);
        Assert.True(world.Directory.MayUsePasswords(World.Secure));
        Assert.False(world.Directory.MayUsePasswords(World.Clear));
    }

    [Fact]
    public void Whom_an_account_may_send_as()
    {
        using World world = new(Users, "sales@example.org ann\nteam@example.org ann, bob, far@elsewhere.example\nbobs@example.org bob, far@elsewhere.example\ninfo@other.example ann\n");
        MailAccount ann = world.Directory.FindLogin("ann")!;
        bool May(string address) => world.Directory.MaySendAs(ann, ReversePath.Of(EmailAddress.Parse(address)));
        Assert.True(world.Directory.MaySendAs(ann, ReversePath.Null));
        Assert.True(May("ann@example.org"));
        Assert.True(May("Ann+shop@Example.org"));
        Assert.True(May("sales@example.org"));
        Assert.True(May("sales+x@example.org"));
        Assert.True(May("team@example.org")); // she is one of them
        Assert.False(May("bobs@example.org"));
        Assert.False(May("bob@example.org"));
        Assert.False(May("ann@elsewhere.example"));
        Assert.False(May("nobody@example.org"));
        world.Directory.Reload(world.Options with { SharedAliases = false });
        Assert.False(May("team@example.org"));
        Assert.True(May("sales@example.org"));
    }

    [Fact]
    public void Postmaster_and_abuse_always_lead_somewhere()
    {
        using World world = new(Users);
        Assert.Equal("=ann@example.org", world.Route("postmaster@example.org"));
        Assert.Equal("=carl@other.example", world.Route("Abuse@other.example"));
        world.Directory.Reload(world.Options with { Postmaster = EmailAddress.Parse("bob@example.org") });
        Assert.Equal("=bob@example.org", world.Route("abuse@other.example"));
        Assert.Equal("NotOurs", world.Route("postmaster@elsewhere.example"));
        Assert.Equal("=bob@example.org", world.Route("MAILER-DAEMON@example.org"));
    }

    [Fact]
    public void Details_are_told_by_the_domains_delimiters()
    {
        using World world = new(Users + "\na-b@other.example:{PLAIN}x\n");
        string? Detail(string address) => world.Directory.Detail(EmailAddress.Parse(address));
        Assert.Equal("lists", Detail("ann+lists@example.org"));
        Assert.Equal("a+b", Detail("ann+a+b@example.org"));
        Assert.Null(Detail("ann@example.org"));
        Assert.Null(Detail("ann+@example.org"));
        Assert.Null(Detail("+x@example.org"));
        Assert.Null(Detail("ann-x@example.org"));
        Assert.Equal("x", Detail("carl-x@other.example"));
        Assert.Null(Detail("a-b@other.example"));
        Assert.Equal("=a-b@other.example", world.Route("a-b@other.example"));
        Assert.Null(Detail("ann+x@elsewhere.example"));
    }
}
