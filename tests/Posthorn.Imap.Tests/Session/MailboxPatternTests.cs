using System.Text.RegularExpressions;
using CsCheck;
using Posthorn.Imap.Session;

namespace Posthorn.Imap.Tests.Session;

public sealed class MailboxPatternTests
{
    [Theory]
    [InlineData("*", "a/b", true)]
    [InlineData("%", "a/b", false)]
    [InlineData("a/%", "a/b", true)]
    [InlineData("%/%", "a/b", true)]
    [InlineData("inbox", "INBOX", true)]
    [InlineData("InBox/%", "INBOX/x", true)]
    [InlineData("inboxes", "INBOXES", false)]
    [InlineData("*b", "a/b/ab", true)]
    [InlineData("", "a", false)]
    public void Matches(string pattern, string name, bool expected) => Assert.Equal(expected, new MailboxPattern(pattern, '/').Matches(name));

    [Fact]
    public void Matches_what_a_regular_expression_matches() =>
        Gen.Select(Gen.String[Gen.OneOf('a', 'b', '/', '*', '%'), 0, 8], Gen.String[Gen.OneOf('a', 'b', '/'), 0, 10]).Sample((pattern, name) =>
        {
            string regex = "^" + Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal).Replace("%", "[^/]*", StringComparison.Ordinal) + "$";
            Assert.Equal(Regex.IsMatch(name, regex), new MailboxPattern(pattern, '/').Matches(name));
        });
}
