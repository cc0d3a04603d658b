using System.Text;
using CsCheck;
using Posthorn.Smtp.Wire;

namespace Posthorn.Smtp.Tests.Wire;

/// <summary>The streaming decoder against a slow plain one, over every split of what smugglers send.</summary>
public sealed class DataDecoderTests
{
    // Dense in what matters: CR, LF and dots next to each other.
    private static readonly Gen<byte[]> Bodies =
        OneOf((byte)'\r', (byte)'\n', (byte)'.', (byte)'a', (byte)0, (byte)0xFF).Array[0, 24];

    private static readonly Gen<byte[]> Lines =
        OneOf("\r\n", "\r\n.", ".", "..", "text", "\n", "\r", "\r\n.\r", ".\r\n", "\n.\n", "\r.\r").Array[0, 12]
            .Select(parts => Encoding.ASCII.GetBytes(string.Concat(parts)));

    [Theory]
    [InlineData("\n.\n")]
    [InlineData("\r\n.\n")]
    [InlineData("\n.\r\n")]
    [InlineData("\r.\r")]
    [InlineData("\r\n.\r")]
    [InlineData("\r.\r\n")]
    [InlineData("\r\n\0.\r\n")]
    [InlineData("\n\r.\r\n")]
    [InlineData("\r\n.\r\r\n")]
    [InlineData("\r\n.\0\r\n")]
    [InlineData("\r\n .\r\n")]
    [InlineData("\r\r.\r\r")]
    [InlineData("\n\n.\n\n")]
    [InlineData("\r\n.\v\r\n")]
    [InlineData("\x85.\x85")]
    public void OnlyOneFormEndsAMessage(string form)
    {
        byte[] input = Encoding.Latin1.GetBytes($"one{form}RCPT TO:<eve@example.com>\r\n.\r\nrest");
        foreach (bool mends in (bool[])[false, true])
            EverySplit(input, mends, (decoded, used) => Assert.Equal(input.Length - "rest".Length, used));
    }

    [Fact]
    public void StrictAgreesWithThePlainOne() => Gen.OneOf(Bodies, Lines).Sample(body =>
    {
        byte[] input = [.. body, .. "\r\n.\r\nNOOP\r\n"u8];
        (byte[] expected, int used, bool bare) = Plain(input);
        EverySplit(input, mends: false, (decoded, at) =>
        {
            Assert.Equal(used, at);
            Assert.Equal(bare, decoded.Decoder.HasBareLineEnds);
            if (!bare) Assert.Equal(expected, decoded.Output);
        });
    }, iter: 3_000);

    [Fact]
    public void MendedHasWholeLinesOnly() => Gen.OneOf(Bodies, Lines).Sample(body =>
    {
        byte[] input = [.. body, .. "\r\n.\r\nNOOP\r\n"u8];
        int used = Plain(input).Used;
        byte[]? first = null;
        EverySplit(input, mends: true, (decoded, at) =>
        {
            Assert.Equal(used, at);
            first ??= decoded.Output;
            Assert.Equal(first, decoded.Output);
            string text = Encoding.Latin1.GetString(decoded.Output);
            Assert.DoesNotContain('\r', text.Replace("\r\n", "", StringComparison.Ordinal));
            Assert.DoesNotContain('\n', text.Replace("\r\n", "", StringComparison.Ordinal));
            Assert.True(text.Length == 0 || text.EndsWith("\r\n", StringComparison.Ordinal));
        });
    }, iter: 2_000);

    [Fact]
    public void ChunksCutAnywhereAreOneText() => Gen.Select(Gen.OneOf(Bodies, Lines), Gen.Int[0, 30], Gen.Int[0, 30]).Sample((body, one, two) =>
    {
        int a = Math.Min(Math.Min(one, two), body.Length), b = Math.Min(Math.Max(one, two), body.Length);
        (byte[] whole, DataDecoder d1) = Chunks(body);
        (byte[] cut, DataDecoder d2) = Chunks(body[..a], body[a..b], body[b..]);
        Assert.Equal(whole, cut);
        Assert.Equal(body, whole);
        Assert.Equal(d1.HasBareLineEnds, d2.HasBareLineEnds);
        string stripped = Encoding.Latin1.GetString(body).Replace("\r\n", "", StringComparison.Ordinal);
        Assert.Equal(stripped.AsSpan().ContainsAny('\r', '\n'), d1.HasBareLineEnds);
    }, iter: 5_000);

    [Theory]
    [InlineData(10, 10, false)]
    [InlineData(11, 10, true)]
    [InlineData(10_000_000, 65_536, true)]
    public void LongLinesAreSeen(int length, int limit, bool isLong)
    {
        byte[] input = [.. "x\r\n"u8, .. Enumerable.Repeat((byte)'y', length), .. "\r\n.\r\n"u8];
        Decoded decoded = new(mends: false, limit);
        decoded.Feed(input);
        Assert.Equal(isLong, decoded.Decoder.HasLongLine);
    }

    // Find CRLF "." CRLF with the command's CRLF in front, cut lines, drop dots.
    private static (byte[] Content, int Used, bool Bare) Plain(byte[] input)
    {
        string text = "\r\n" + Encoding.Latin1.GetString(input);
        int end = text.IndexOf("\r\n.\r\n", StringComparison.Ordinal);
        string content = text[..(end + 2)];
        string body = content.Replace("\r\n.", "\r\n", StringComparison.Ordinal)[2..];
        bool bare = content.Replace("\r\n", "", StringComparison.Ordinal).AsSpan().ContainsAny('\r', '\n');
        return (Encoding.Latin1.GetBytes(body), end + 5 - 2, bare);
    }

    private static void EverySplit(byte[] input, bool mends, Action<Decoded, int> check)
    {
        for (int cut = 0; cut <= input.Length; cut++)
        {
            Decoded decoded = new(mends, int.MaxValue - 1);
            if (!decoded.Feed(input[..cut])) decoded.Feed(input[cut..]);
            Assert.True(decoded.Ended);
            check(decoded, decoded.Used);
        }
        Decoded single = new(mends, int.MaxValue - 1);
        foreach (byte b in input)
            if (single.Feed([b])) break;
        Assert.True(single.Ended);
        check(single, single.Used);
    }

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static (byte[], DataDecoder) Chunks(params byte[][] chunks)
    {
        DataDecoder decoder = new(dotted: false, mends: false, 1000);
        List<byte> output = [];
        foreach (byte[] chunk in chunks)
        {
            int at = 0;
            while (at < chunk.Length)
            {
                DataStep step = decoder.Next(chunk.AsSpan(at), boundary: true);
                output.AddRange(chunk.AsSpan(at, step.Take));
                output.AddRange(step.Then.Span);
                at += step.Used;
            }
        }
        output.AddRange(decoder.Finish().Span);
        return ([.. output], decoder);
    }

    /// <summary>Feeds a decoder as the session does: what is left over stays in front of what comes next.</summary>
    private sealed class Decoded(bool mends, int limit)
    {
        private readonly List<byte> _output = [];
        private byte[] _left = [];

        public DataDecoder Decoder { get; } = new(dotted: true, mends, limit);
        public byte[] Output => [.. _output];
        public int Used { get; private set; }
        public bool Ended { get; private set; }

        public bool Feed(byte[] more)
        {
            byte[] input = [.. _left, .. more];
            int at = 0;
            while (true)
            {
                DataStep step = Decoder.Next(input.AsSpan(at));
                _output.AddRange(input.AsSpan(at, step.Take));
                _output.AddRange(step.Then.Span);
                at += step.Used;
                Used += step.Used;
                Ended = step.State == DataState.Ended;
                if (step.State == DataState.More) continue;
                _left = input[at..];
                Assert.True(Ended || _left.Length <= 2);
                return Ended;
            }
        }
    }
}
