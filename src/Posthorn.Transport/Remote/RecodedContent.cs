using Posthorn.Mime.Recoding;
using Posthorn.Store;

namespace Posthorn.Transport.Remote;

/// <summary>The recoded form of a message, for a server that does not take it as it is.</summary>
internal sealed class RecodedContent : IMessageContent
{
    private readonly IMessageSink _sink;

    private RecodedContent(IMessageSink sink) => _sink = sink;

    public long Length => _sink.Length;

    public int Read(long offset, Span<byte> into) => _sink.Read(offset, into);

    public ValueTask DisposeAsync() => _sink.DisposeAsync();

    /// <summary>Recodes; null when that cannot be, or would break a signature within the message. Where nothing has to change the content is the same.</summary>
    public static async ValueTask<RecodedContent?> MakeAsync(IMessageContent content, WireForm form, bool asciiHeaders, IMailStores stores, CancellationToken cancel) =>
        await RecodeAsync(content.Read, new(form, asciiHeaders), stores, cancel) is { } sink ? new(sink) : null;

    /// <summary>Whether a header, at any level, is not ASCII.</summary>
    public static bool HasEightBitHeader(IMessageContent content)
    {
        MimeRecoder look = new(WireForm.EightBit);
        RecodedMessage.Survey(content.Read, look);
        return look.HasEightBitHeader;
    }

    /// <summary>Recodes into a sink of its own; null when that cannot be.</summary>
    public static async ValueTask<IMessageSink?> RecodeAsync(ContentReader content, MimeRecoder recoder, IMailStores stores, CancellationToken cancel)
    {
        if (!RecodedMessage.Survey(content, recoder)) return null;
        IMessageSink sink = stores.CreateSink();
        try
        {
            await RecodedMessage.WriteAsync(recoder, content, sink, cancel);
            return sink;
        }
        catch
        {
            await sink.DisposeAsync();
            throw;
        }
    }
}
