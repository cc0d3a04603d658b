using CsCheck;
using Posthorn.Core;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Tests.Wire;

public sealed class NumberSetTests
{
    [Theory]
    [InlineData("1", 5u, "1:1")]
    [InlineData("2,4:7,9,12:*", 15u, "2:2 4:7 9:9 12:15")]
    [InlineData("*:4,5:7", 10u, "4:10")]
    [InlineData("5:3,4", 10u, "3:5")]
    [InlineData("*", 0u, "")]
    [InlineData("4294967295", 7u, "4294967295:4294967295")]
    public void Normalises_as_RFC_9051_section_9_says(string text, uint largest, string expected)
    {
        ImapReader reader = Text.Reader(text);
        List<NumberRange> ranges = reader.SequenceSet().Normalise(largest);
        Assert.False(reader.Failed);
        Assert.Equal(expected, string.Join(' ', ranges.Select(r => $"{r.First}:{r.Last}")));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1,")]
    [InlineData("1:")]
    [InlineData(":1")]
    [InlineData("4294967296")]
    [InlineData("-1")]
    [InlineData("")]
    public void Refuses_what_is_no_set(string text)
    {
        ImapReader reader = Text.Reader(text);
        reader.SequenceSet();
        reader.End();
        Assert.True(reader.Failed);
    }

    [Fact]
    public void A_formatted_set_reads_back_as_the_same_numbers() => Gen.UInt[1, 100_000].Array[1, 200].Sample(numbers =>
    {
        uint[] sorted = [.. numbers.Distinct().Order()];
        ImapReader reader = Text.Reader(NumberSet.Format([.. sorted.Select(n => new Uid(n))]));
        IEnumerable<uint> read = reader.SequenceSet().Normalise(uint.MaxValue - 1).SelectMany(r => Enumerable.Range((int)r.First, (int)(r.Last - r.First + 1)).Select(n => (uint)n));
        Assert.Equal(sorted, read);
    });
}
