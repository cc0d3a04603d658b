using System.Text;
using CsCheck;
using Posthorn.Core;

namespace Posthorn.Core.Tests;

public sealed class XtextTests
{
    [Theory]
    [InlineData("QQ314159", "QQ314159")]
    [InlineData("a+2Bb+3Dc+20d", "a+b=c d")]
    [InlineData("", "")]
    [InlineData("a+2b", null)]
    [InlineData("a+", null)]
    [InlineData("a+4", null)]
    [InlineData("a b", null)]
    [InlineData("a=b", null)]
    [InlineData("a+0Ab", null)]
    [InlineData("a+C3+A4", null)]
    [InlineData("ä", null)]
    public void Decodes(string text, string? expected)
    {
        bool valid = Xtext.TryDecode(Encoding.UTF8.GetBytes(text), out string decoded);
        Assert.Equal(expected is not null, valid);
        if (expected is not null) Assert.Equal(expected, decoded);
    }

    [Theory]
    [InlineData("bär@example.org", "bär@example.org")]
    [InlineData(@"b\x{E4}r", "bär")]
    [InlineData(@"\x{1F600}", "😀")]
    [InlineData(@"\x{5C}", @"\")]
    [InlineData(@"\x{e4}", null)]
    [InlineData(@"\x{110000}", null)]
    [InlineData(@"\x{D800}", null)]
    [InlineData(@"\x{}", null)]
    [InlineData(@"\x{0A}", null)]
    [InlineData(@"\xE4", null)]
    [InlineData("a=b", null)]
    [InlineData("a b", null)]
    public void DecodesUtf8(string text, string? expected)
    {
        bool valid = Xtext.TryDecodeUtf8(Encoding.UTF8.GetBytes(text), out string decoded);
        Assert.Equal(expected is not null, valid);
        if (expected is not null) Assert.Equal(expected, decoded);
    }

    [Fact]
    public void WhatIsEncodedDecodes() => Gen.String[Gen.Char[' ', '~'], 0, 30].Sample(text =>
    {
        Assert.True(Xtext.TryDecode(Encoding.ASCII.GetBytes(Xtext.Encode(text)), out string decoded));
        Assert.Equal(text, decoded);
    });
}
