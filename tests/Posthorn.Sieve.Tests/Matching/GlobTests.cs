using Posthorn.Sieve.Matching;

namespace Posthorn.Sieve.Tests.Matching;

public sealed class GlobTests
{
    [Theory]
    [InlineData("*", "", ",")]
    [InlineData("*", "abc", "abc,abc")]
    [InlineData("a*c", "abc", "abc,b")]
    [InlineData("a*c", "abcc", "abcc,bc")]
    [InlineData("*<*@*", "List <a@b@c>", "List <a@b@c>,List ,a,b@c>")]
    [InlineData("coyote@**.com", "coyote@ACME.Example.COM", "coyote@ACME.Example.COM,,ACME.Example")]
    [InlineData("?b?", "abc", "abc,a,c")]
    [InlineData("[*] *", "[acme-users] [fwd] version 1.0", "[acme-users] [fwd] version 1.0,acme-users,[fwd] version 1.0")]
    [InlineData("\\*", "*", "*")]
    [InlineData("\\*", "a", null)]
    [InlineData("a\\?b", "a?b", "a?b")]
    [InlineData("", "", "")]
    [InlineData("", "a", null)]
    [InlineData("a*a", "a", null)]
    [InlineData("*?b", "aab", "aab,a,a")]
    [InlineData("*é*", "caféx", "caféx,caf,x")]
    public void CapturesAsLittleAsItCan(string pattern, string value, string? expected)
    {
        List<string> captures = [];
        bool found = Glob.Compile(pattern, Comparator.AsciiCasemap).IsMatch(value, captures, StepBudget.Unbounded());
        Assert.Equal(expected, found ? string.Join(',', captures) : null);
    }

    [Fact]
    public void AQuestionMarkIsOneOctetForOctetComparators()
    {
        Assert.False(Glob.Compile("?", Comparator.Octet).IsMatch("é", null, StepBudget.Unbounded()));
        List<string> captures = [];
        Assert.True(Glob.Compile("??", Comparator.Octet).IsMatch("é", captures, StepBudget.Unbounded()));
        Assert.Equal("é", SieveText.Normalize(captures[1] + captures[2]));
        Assert.True(Glob.Compile("?", Comparator.UnicodeCasemap).IsMatch("é", null, StepBudget.Unbounded()));
    }
}
