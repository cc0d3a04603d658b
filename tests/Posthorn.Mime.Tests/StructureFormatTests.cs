using System.Buffers;

namespace Posthorn.Mime.Tests;

/// <summary>What stands in catalogues must stay readable.</summary>
public class StructureFormatTests
{
    [Fact]
    public void NumbersOfKindsAndEncodingsArePinned()
    {
        Assert.Equal([0, 1, 2, 3, 4], Enum.GetValues<PartKind>().Select(k => (int)k));
        Assert.Equal(["Other", "Text", "Multipart", "Message", "Opaque"], Enum.GetNames<PartKind>());
        Assert.Equal(["SevenBit", "EightBit", "Binary", "QuotedPrintable", "Base64", "UuEncode", "Unknown"], Enum.GetNames<TransferEncoding>());
        Assert.Equal([0, 1, 2, 3, 4, 5, 6], Enum.GetValues<TransferEncoding>().Select(k => (int)k));
    }

    [Fact]
    public void VersionOneIsPinned()
    {
        byte[] message = MimeText.Crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\nQUJD\nREVG\n--b--\n");
        ArrayBufferWriter<byte> bytes = new();
        MimeStructure.Parse(message, MimeLimits.Default).WriteTo(bytes);
        Assert.Equal("01020200" + "2D" + "3D" + "02000600" + "01" + "21" + "32" + "25" + "0A" + "02000100" + "00", Convert.ToHexString(bytes.WrittenSpan));
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("02")]
    [InlineData("0100")]
    [InlineData("01FFFFFFFFFF")]
    [InlineData("0101FFFFFFFFFFFFFFFFFFFF")]
    [InlineData("01010500000000000000FF")]
    public void DamageIsRefused(string hex)
    {
        Assert.Null(MimeStructure.TryRead(Convert.FromHexString(hex)));
        Assert.Throws<FormatException>(() => MimeStructure.Read(Convert.FromHexString(hex)));
    }

    [Theory]
    [InlineData("a\nb\r\nc\n", 0, 100, "a\r\nb\r\nc\r\n")]
    [InlineData("a\nb\n", 2, 3, "\nb\r")]
    [InlineData("\n\n", 1, 2, "\n\r")]
    [InlineData("abc", 3, 9, "")]
    [InlineData("a\rb", 0, 9, "a\rb")]
    public void LfIsShownAsCrlf(string text, long skip, long take, string expected)
    {
        ArrayBufferWriter<byte> output = new();
        CrlfText.Write(MimeText.Bytes(text), skip, take, output);
        Assert.Equal(expected, System.Text.Encoding.Latin1.GetString(output.WrittenSpan));
    }
}
