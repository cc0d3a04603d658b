using System.Buffers;
using Posthorn.Mime.Recoding;
using Posthorn.Store;
using Posthorn.Transport.Bounce;

namespace Posthorn.Transport.Remote;

/// <summary>The recoded form of a message, for a server that does not take it as it is.</summary>
internal sealed class RecodedContent : IMessageContent
{
    private const int Piece = 64 * 1024;
    private readonly IMessageSink _sink;

    private RecodedContent(IMessageSink sink) => _sink = sink;

    public long Length => _sink.Length;

    public int Read(long offset, Span<byte> into) => _sink.Read(offset, into);

    public ValueTask DisposeAsync() => _sink.DisposeAsync();

    /// <summary>Recodes; null when that cannot be, or would break a signature within the message. Where nothing has to change the content is the same.</summary>
    public static async ValueTask<RecodedContent?> MakeAsync(IMessageContent content, WireForm form, bool asciiHeaders, IMailStores stores, CancellationToken cancel) =>
        await RecodeAsync(content.Read, new(form, asciiHeaders), stores, cancel) is { } sink ? new(sink) : null;

    /// <summary>As above, into a sink of its own.</summary>
    public static async ValueTask<IMessageSink?> RecodeAsync(ContentReader content, MimeRecoder recoder, IMailStores stores, CancellationToken cancel)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Piece);
        IMessageSink sink = stores.CreateSink();
        try
        {
            for (long at = 0; Next(content, ref at, buffer) is > 0 and int read;) recoder.Survey(buffer.AsSpan(0, read));
            if (!recoder.EndSurvey())
            {
                await sink.DisposeAsync();
                return null;
            }
            ArrayBufferWriter<byte> output = new(2 * Piece);
            for (long at = 0; Next(content, ref at, buffer) is > 0 and int read;)
            {
                recoder.Write(buffer.AsSpan(0, read), output);
                await sink.WriteAsync(output.WrittenMemory, cancel);
                output.ResetWrittenCount();
            }
            recoder.Finish(output);
            await sink.WriteAsync(output.WrittenMemory, cancel);
            return sink;
        }
        catch
        {
            await sink.DisposeAsync();
            throw;
        }
        finally { ArrayPool<byte>.Shared.Return(buffer); }
    }

    private static int Next(ContentReader content, ref long at, byte[] buffer)
    {
        int read = content(at, buffer.AsSpan(0, Piece));
        at += read;
        return read;
    }
}
