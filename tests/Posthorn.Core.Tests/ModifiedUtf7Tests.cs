using CsCheck;

namespace Posthorn.Core.Tests;

public sealed class ModifiedUtf7Tests
{
    [Theory]
    [InlineData("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\u53f0\u5317/\u65e5\u672c\u8a9e")]
    [InlineData("&Jjo-!", "\u263a!")]
    [InlineData("A&-B", "A&B")]
    [InlineData("&2D3eAA-", "\U0001F600")]
    [InlineData("plain", "plain")]
    public void Reads_and_writes_the_examples(string wire, string name)
    {
        Assert.True(ModifiedUtf7.TryDecode(wire, out string text));
        Assert.Equal(name, text);
        Assert.Equal(wire, ModifiedUtf7.Encode(name));
    }

    // RFC 3501 section 5.1.3: superfluous shifts, printable characters in base64, unfinished shifts.
    [Theory]
    [InlineData("&Jjo!")]
    [InlineData("&U,BTFw-&ZeVnLIqe-")]
    [InlineData("&AEE-")]
    [InlineData("&2D0-")]
    [InlineData("&Jjo/-")]
    [InlineData("&J-")]
    public void Refuses_what_no_encoder_makes(string wire) =>
        Assert.False(ModifiedUtf7.TryDecode(wire, out _));

    [Fact]
    public void Any_name_reads_back() => Gen.String[Gen.Char['\u0020', '\uD7FF'], 1, 40].Sample(name =>
    {
        Assert.True(ModifiedUtf7.TryDecode(ModifiedUtf7.Encode(name), out string back), ModifiedUtf7.Encode(name));
        Assert.Equal(name, back);
    });

    [Fact]
    public void Any_text_is_taken_or_refused() => Gen.String[0, 60].Sample(wire =>
    {
        // What is taken is text that the encoder can write again.
        if (ModifiedUtf7.TryDecode(wire, out string text)) Assert.True(ModifiedUtf7.TryDecode(ModifiedUtf7.Encode(text), out string again) && again == text);
    });
}
