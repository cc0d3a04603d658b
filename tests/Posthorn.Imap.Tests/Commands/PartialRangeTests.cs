using CsCheck;
using Posthorn.Imap.Commands;
using Posthorn.Imap.Session;

namespace Posthorn.Imap.Tests.Commands;

public sealed class PartialRangeTests
{
    [Fact]
    public void A_window_of_ranges_is_that_of_the_list() =>
        Gen.Select(Gen.Int[1, 12], Gen.Int[1, 12], Gen.Bool, Gen.Int[0, 10]).Sample((first, last, fromEnd, count) =>
        {
            PartialRange partial = new((uint)first, (uint)last, fromEnd);
            List<int> list = [.. Enumerable.Range(0, count).Select(i => i * 2 + i / 3)];
            List<PositionRange> ranges = [.. list.Select(i => new PositionRange(i, i + 1))];
            List<int> expected = partial.Of(list);
            Assert.Equal(expected, partial.Of(ranges).Select(r => r.First));
            IEnumerable<int> numbered = list.Where((_, i) => fromEnd ? count - i >= partial.First && count - i <= partial.Last : i + 1 >= partial.First && i + 1 <= partial.Last);
            Assert.Equal(numbered, expected);
        });
}
