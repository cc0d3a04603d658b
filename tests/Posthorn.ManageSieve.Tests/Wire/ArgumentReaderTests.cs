using System.Text;
using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Tests.Wire;

public sealed class ArgumentReaderTests
{
    private static (string? Value, string? Error) Read(string text)
    {
        ArgumentReader reader = new(Encoding.UTF8.GetBytes(text));
        string value = reader.Text();
        reader.End();
        return (reader.Failed ? null : value, reader.Error);
    }

    [Theory]
    [InlineData("\"\"", "")]
    [InlineData("\"a b\"", "a b")]
    [InlineData("\"a\\\"b\\\\c\"", "a\"b\\c")]
    [InlineData("\"Grüße\"", "Grüße")]
    [InlineData("{3+}\r\na\"b", "a\"b")]
    [InlineData("{3}\r\nabc", "abc")]
    [InlineData("{0+}\r\n", "")]
    [InlineData("{4+}\r\na\r\nb", "a\r\nb")]
    public void Strings_are_read(string text, string expected) => Assert.Equal((expected, null), Read(text));

    [Theory]
    [InlineData("", "a string")]
    [InlineData("abc", "a string")]
    [InlineData("\"abc", "a closing quote")]
    [InlineData("\"a\\bc\"", "a closing quote")]
    [InlineData("\"a\0\"", "a closing quote")]
    [InlineData("\"a\" ", "the end of the command")]
    [InlineData("{4+}\r\nabc", "a literal")]
    [InlineData("{x+}\r\nabc", "a literal")]
    [InlineData("{3+}abc", "a literal")]
    public void Bad_strings_are_told(string text, string expected) => Assert.Contains(expected, Read(text).Error!, StringComparison.Ordinal);

    [Fact]
    public void Octets_that_are_not_UTF8_are_no_text()
    {
        ArgumentReader reader = new([(byte)'"', 0xff, (byte)'"']);
        reader.Text();
        Assert.StartsWith("expected UTF-8", reader.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Between_quotes_stand_at_most_1024_octets()
    {
        Assert.Null(Read($"\"{new string('a', 1024)}\"").Error);
        Assert.Contains("at most 1024 octets", Read($"\"{new string('a', 1025)}\"").Error!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0", 0u)]
    [InlineData("4294967295", 4294967295u)]
    [InlineData("4294967296", null)]
    [InlineData("007", null)]
    [InlineData("-1", null)]
    [InlineData("", null)]
    public void Numbers_have_32_bits_and_no_leading_zeros(string text, uint? expected)
    {
        ArgumentReader reader = new(Encoding.UTF8.GetBytes(text));
        uint number = reader.Number();
        Assert.Equal(expected, reader.Failed ? null : number);
    }

    [Theory]
    [InlineData("PUTSCRIPT \"a\" {5+}", 5)]
    [InlineData("PUTSCRIPT \"a\" {5}", 5)]
    [InlineData("{99999999999999999999+}", long.MaxValue)]
    [InlineData("PUTSCRIPT \"{5+}\"", -1)]
    [InlineData("{+}", -1)]
    [InlineData("{5+} ", -1)]
    [InlineData("}", -1)]
    public void Literals_are_seen_at_a_lines_end(string line, long expected) => Assert.Equal(expected, CommandReader.LiteralAtEnd(Encoding.ASCII.GetBytes(line)));
}
