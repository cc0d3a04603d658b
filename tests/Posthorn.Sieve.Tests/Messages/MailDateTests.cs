using Posthorn.Sieve.Messages;

namespace Posthorn.Sieve.Tests.Messages;

public sealed class MailDateTests
{
    [Theory]
    [InlineData("Tue, 1 Apr 1997 09:06:31 -0800 (PST)", "1997-04-01T09:06:31-08:00")]
    [InlineData("from x by y; Wed, 7 Dec 2005 05:08:02 -0500", "2005-12-07T05:08:02-05:00")]
    [InlineData("1 Jan 99 00:00 GMT", "1999-01-01T00:00:00Z")]
    [InlineData("1 Jan 2020 00:00:60 +0000", "2020-01-01T00:00:59Z")]
    [InlineData("31 Feb 2020 00:00:00 +0000", null)]
    [InlineData("29 Feb 2019 00:00:00 +0000", null)]
    [InlineData("1 Foo 2020 00:00:00 +0000", null)]
    [InlineData("yesterday", null)]
    [InlineData("", null)]
    public void ReadsDates(string field, string? expected) =>
        Assert.Equal(expected, MailDate.Parse(field) is { } date ? MailDate.FormatIso(date) : null);
}
