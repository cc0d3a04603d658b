using System.Text;
using CsCheck;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Tests.Wire;

public sealed class CrlfSinkTests
{
    [Fact]
    public void Bare_feeds_become_CRLF_however_the_bytes_come() =>
        Gen.Select(Gen.String[Gen.OneOf('\r', '\n', 'a'), 0, 40], Gen.Int[1, 7]).Sample((text, piece) =>
        {
            byte[] bytes = Encoding.ASCII.GetBytes(text);
            Collector inner = new();
            CrlfSink sink = new(inner);
            for (int at = 0; at < bytes.Length; at += piece) sink.WriteAsync(bytes.AsMemory(at, Math.Min(piece, bytes.Length - at)), default).AsTask().GetAwaiter().GetResult();
            Assert.Equal(text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal), Encoding.ASCII.GetString([.. inner.Bytes]));
        });

    [Fact]
    public async Task What_the_store_does_not_take_is_read_to_its_end_and_told()
    {
        Collector inner = new() { TakesAtMost = 10 };
        CrlfSink sink = new(inner);
        await sink.WriteAsync("12345678"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.Null(sink.Failure);
        await sink.WriteAsync("1234"u8.ToArray(), TestContext.Current.CancellationToken);
        await sink.WriteAsync("1"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.Equal((8, "no space"), (inner.Length, sink.Failure?.Message));
        Assert.Equal("UNAVAILABLE", Posthorn.Imap.Session.Completion.From(new(Core.RefusalKind.NoSpace, "full")).Code);
    }
}

/// <summary>A sink that keeps its bytes and knows its largest write.</summary>
internal sealed class Collector : IMessageSink
{
    public List<byte> Bytes { get; } = [];
    public int LargestWrite { get; private set; }
    public bool Keeps { get; init; } = true;
    public long TakesAtMost { get; init; } = long.MaxValue;
    public long Length { get; private set; }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        if (Length + bytes.Length > TakesAtMost) throw new IOException("no space");
        if (Keeps) Bytes.AddRange(bytes.Span);
        Length += bytes.Length;
        LargestWrite = Math.Max(LargestWrite, bytes.Length);
        return ValueTask.CompletedTask;
    }

    public int Read(long offset, Span<byte> into) => throw new NotSupportedException();
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
