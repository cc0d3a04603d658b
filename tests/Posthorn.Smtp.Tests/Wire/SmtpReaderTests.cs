using System.Text;
using CsCheck;
using Posthorn.Core;
using Posthorn.Smtp.Wire;

namespace Posthorn.Smtp.Tests.Wire;

public sealed class SmtpReaderTests
{
    private static readonly DomainName Ours = DomainName.Create("example.org");

    [Theory]
    [InlineData("<a@b.example>", "a@b.example")]
    [InlineData("<\"a\\\"b\\\\\"@b.example>", "\"a\\\"b\\\\\"@b.example")]
    [InlineData("<\"a@b\"@c.example>", "\"a@b\"@c.example")]
    [InlineData("<\"a.b\"@c.example>", "a.b@c.example")]
    [InlineData("<\"a>b\"@c.example>", "\"a>b\"@c.example")]
    [InlineData("<@x.example,@[192.0.2.1]:a@b.example>", "a@b.example")]
    [InlineData("<a@[IPv6:2001:DB8::1]>", "a@[IPv6:2001:db8::1]")]
    [InlineData("<postMASTER>", "postmaster@example.org")]
    public void StrictForwardPaths(string text, string address)
    {
        SmtpReader reader = new(Encoding.UTF8.GetBytes(text), 0, new(false, false, Ours));
        EmailAddress read = reader.ForwardPath();
        Assert.Null(reader.Error);
        Assert.True(reader.IsAtEnd);
        Assert.Equal(address, read.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("<")]
    [InlineData("<>")]
    [InlineData("<\"\"@b.example>")]
    [InlineData("<\"a@b.example>")]
    [InlineData("<\"a\"b@b.example>")]
    [InlineData("<a\"b\"@b.example>")]
    [InlineData("<\"a\u0001\"@b.example>")]
    [InlineData("<\"a\\")]
    [InlineData("<a.@b.example>")]
    [InlineData("<a..b@b.example>")]
    [InlineData("<a@.b.example>")]
    [InlineData("<a@b..example>")]
    [InlineData("<a@[192.0.2.1>")]
    [InlineData("<a@[192.0.2]>")]
    [InlineData("<a@[192.0.2.01]>")]
    [InlineData("<a@[0x7f.0.0.1]>")]
    [InlineData("<a@[3221225985]>")]
    [InlineData("<a@[IPv6:fe80::1%1]>")]
    [InlineData("<a@[2001:db8::1]>")]
    [InlineData("<@x.example>")]
    [InlineData("<@x.example:>")]
    [InlineData("<@x.example;a@b.example>")]
    [InlineData("<@x.example,:a@b.example>")]
    [InlineData("< a@b.example>")]
    [InlineData("<a@b.example> -x")]
    public void NotForwardPaths(string text)
    {
        SmtpReader reader = new(Encoding.UTF8.GetBytes(text), 0, new(false, false, Ours));
        reader.ForwardPath();
        while (reader.Parameter(out _, out _)) { }
        Assert.NotNull(reader.Error);
    }

    [Fact]
    public void WhatIsReadIsWrittenAsWhatIsReadAgain() =>
        Gen.String[Gen.Char[' ', '~'], 1, 20].Sample(local =>
        {
            Assert.True(EmailAddress.TryCreate(local, Ours, out EmailAddress address));
            SmtpReader reader = new(Encoding.UTF8.GetBytes($"<{address}>"), 0, new(false, false, Ours));
            EmailAddress read = reader.ForwardPath();
            Assert.Null(reader.Error);
            Assert.Equal(local, read.LocalPart);
            Assert.Equal(Ours, read.Domain);
        });

    [Fact]
    public void LongPathsAreRefused()
    {
        string longest = new('a', EmailAddress.MaxLocalPart);
        Assert.Null(Read($"<{longest}@example.org>"));
        Assert.NotNull(Read($"<a{longest}@example.org>"));
        Assert.NotNull(Read($"<\"a{longest}\"@example.org>"));
        Assert.NotNull(Read($"<{string.Concat(Enumerable.Repeat("@a.example,", 120))}@a.example:a@example.org>"));
    }

    private static string? Read(string text)
    {
        SmtpReader reader = new(Encoding.UTF8.GetBytes(text), 0, new(false, false, Ours));
        reader.ForwardPath();
        return reader.Error?.ToString();
    }
}
