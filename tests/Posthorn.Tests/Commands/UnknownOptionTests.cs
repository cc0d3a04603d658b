namespace Posthorn.Tests.Commands;

/// <summary>A word that looks like an option and is none is wrong usage, whatever arguments the command takes.</summary>
public sealed class UnknownOptionTests
{
    [Theory]
    [InlineData("queue", "retry")]
    [InlineData("queue", "hold")]
    [InlineData("queue", "list")]
    [InlineData("trace")]
    [InlineData("account", "add")]
    [InlineData("alias", "add", "all@example.org", "bob@example.org")]
    [InlineData("domain", "add")]
    [InlineData("sieve", "check")]
    [InlineData("undelete", "restore", "--account", "ann")]
    [InlineData("status")]
    [InlineData("init")]
    public async Task It_is_named_with_the_command(params string[] words)
    {
        (int status, string output, string errors) = await ProgramRun.RunAsync(null, [.. words, "--bogus", "--config", "/nonexistent"]);
        Assert.Equal((2, ""), (status, output));
        Assert.Contains($"--bogus is no option of 'posthorn {words[0]}", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_two_dashes_it_is_an_argument()
    {
        (int status, string output, string errors) = await ProgramRun.RunAsync(null, "sieve", "check", "--", "--bogus");
        Assert.Equal(1, status);
        Assert.Contains("--bogus", output, StringComparison.Ordinal);
        Assert.Empty(errors);
    }
}
