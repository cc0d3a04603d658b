using System.Text;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Tests.Wire;

public sealed class ImapReaderTests
{
    [Theory]
    [InlineData("atom", "atom")]
    [InlineData("a]b", "a]b")]
    [InlineData("\"two words\"", "two words")]
    [InlineData("\"a\\\"b\\\\c\"", "a\"b\\c")]
    [InlineData("{3}\r\na b", "a b")]
    [InlineData("{3+}\r\n\r\n)", "\r\n)")]
    [InlineData("~{2}\r\nxy", "xy")]
    [InlineData("\"\"", "")]
    public void Reads_an_astring(string text, string expected)
    {
        ImapReader reader = Text.Reader(text);
        ReadOnlySpan<byte> value = reader.AString();
        reader.End();
        Assert.Null(reader.Error);
        Assert.Equal(expected, Encoding.UTF8.GetString(value));
    }

    [Theory]
    [InlineData("")]
    [InlineData("(x)")]
    [InlineData("\"open")]
    [InlineData("\"bad\\escape\"")]
    [InlineData("\"line\r\nend\"")]
    [InlineData("{5}\r\nabc")]
    [InlineData("{5}abcde")]
    [InlineData("{3}\r\na\0b")]
    [InlineData("{99999999999999999999}\r\nx")]
    public void Refuses_what_is_no_astring(string text)
    {
        ImapReader reader = Text.Reader(text);
        reader.AString();
        reader.End();
        Assert.NotNull(reader.Error);
    }

    [Theory]
    [InlineData("\"17-Jul-1996 02:44:25 -0700\"", "1996-07-17T02:44:25-07:00")]
    [InlineData("\" 1-jan-2026 00:00:00 +0530\"", "2026-01-01T00:00:00+05:30")]
    [InlineData("\"30-Jun-2012 23:59:60 +0000\"", "2012-06-30T23:59:59+00:00")]
    public void Reads_a_date_time(string text, string expected)
    {
        ImapReader reader = Text.Reader(text);
        DateTimeOffset date = reader.DateTime();
        Assert.Null(reader.Error);
        Assert.Equal(DateTimeOffset.Parse(expected, null), date);
    }

    [Theory]
    [InlineData("\"31-Feb-1996 02:44:25 -0700\"")]
    [InlineData("\"17-Jul-96 02:44:25 -0700\"")]
    [InlineData("\"17-Jul-1996 24:44:25 -0700\"")]
    [InlineData("\"17-Jul-1996 02:44:25 -9900\"")]
    [InlineData("\"17-Jul-0000 02:44:25 +0000\"")]
    [InlineData("17-Jul-1996")]
    public void Refuses_what_is_no_date_time(string text)
    {
        ImapReader reader = Text.Reader(text);
        reader.DateTime();
        Assert.NotNull(reader.Error);
    }

    [Theory]
    [InlineData("a1 APPEND x {310}", true, 310, true)]
    [InlineData("{0+}", true, 0, false)]
    [InlineData("~{12}", true, 12, true)]
    [InlineData("{99999999999999999999999}", false, 0, false)]
    [InlineData("{9999999999999999999999}", true, long.MaxValue, true)]
    [InlineData("{}", false, 0, false)]
    [InlineData("{a}", false, 0, false)]
    [InlineData("{5} ", false, 0, false)]
    [InlineData("{+}", false, 0, false)]
    public void Finds_a_literal_at_the_end_of_a_line(string line, bool is_one, long length, bool waits)
    {
        Assert.Equal(is_one, FrameReader.TryLiteral(Encoding.ASCII.GetBytes(line), out LiteralHead literal));
        if (is_one) Assert.Equal((length, waits), (literal.Length, literal.WaitsForUs));
    }
}
