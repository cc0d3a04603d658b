using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary><c>posthorn alias</c> and <c>account</c> say at once what a change makes wrong or doubtful, and make the files that are not there.</summary>
public sealed class AliasCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _configuration;

    public AliasCommandTests() => _configuration = _folder.Write("posthorn.toml", """
        hostname = "mail.posthorn.test"
        data = "data"
        [[domain]]
        name = "posthorn.test"
        aliases = "virtual"
        [auth]
        passwd-file = "users"
        """);

    public void Dispose() => _folder.Dispose();

    private Task<(int Status, string Output, string Errors)> RunAsync(string? input, params string[] words) => ProgramRun.RunAsync(input, [.. words, "--config", _configuration]);

    [Fact]
    public async Task Whoever_takes_mail_from_accounts_is_told()
    {
        _folder.Write("users", "ann@posthorn.test:{PLAIN}secret::::::\nbob@posthorn.test:{PLAIN}secret::::::\n");
        (int status, string output, string errors) = await RunAsync(null, "alias", "add", "@posthorn.test", "ann@posthorn.test");
        Assert.Equal((0, "added @posthorn.test -> ann@posthorn.test\n"), (status, output));
        Assert.Contains("warning: ", errors, StringComparison.Ordinal);
        Assert.Contains("'@posthorn.test' also takes the mail of the accounts bob@posthorn.test", errors, StringComparison.Ordinal);
        Assert.Equal((0, "added bob@posthorn.test -> bob@posthorn.test\n", ""), await RunAsync(null, "alias", "add", "bob@posthorn.test", "bob@posthorn.test"));

        (status, _, errors) = await RunAsync(null, "alias", "add", "ann@posthorn.test", "far@else.example");
        Assert.Equal(0, status);
        Assert.Contains("'ann@posthorn.test' takes all mail of the account ann@posthorn.test, which gets none; for a copy add ann@posthorn.test to the targets", errors, StringComparison.Ordinal);
        Assert.Contains("takes all mail of the account ann@posthorn.test", (await RunAsync(null, "check")).Output, StringComparison.Ordinal);
        Assert.Equal((0, "removed ann@posthorn.test\n", ""), await RunAsync(null, "alias", "remove", "ann@posthorn.test"));
    }

    [Fact]
    public async Task Files_are_made_and_what_leads_nowhere_is_told()
    {
        Assert.Equal((0, "added ann@posthorn.test\n", ""), await RunAsync("long secret\n", "account", "add", "ann"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder.Path, "users")));
        Assert.Equal((0, "added team -> ann\n", ""), await RunAsync(null, "alias", "add", "team", "ann"));
        Assert.Contains("the target nobody@posthorn.test does not exist", (await RunAsync(null, "alias", "add", "ghost", "nobody")).Errors, StringComparison.Ordinal);
        Assert.Equal("", (await RunAsync(null, "alias", "remove", "ghost")).Errors);
        (int status, _, string errors) = await RunAsync(null, "account", "remove", "ann");
        Assert.Equal(0, status);
        Assert.Contains("the target ann@posthorn.test does not exist", errors, StringComparison.Ordinal);
    }
}
