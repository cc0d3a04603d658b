using System.Buffers;
using Posthorn.Mime.Recoding;

namespace Posthorn.Store;

/// <summary>Reads a message from an offset; the number of octets read, 0 at the end.</summary>
public delegate int ContentReader(long offset, Span<byte> into);

/// <summary>Writes a message in another wire form, in pieces: first a look at the whole, then the writing.</summary>
public static class RecodedMessage
{
    private const int Piece = 64 * 1024;

    /// <summary>Looks at a message; false when it cannot be recoded, or that would break a signature within it.</summary>
    public static bool Survey(ContentReader content, MimeRecoder recoder)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Piece);
        try
        {
            for (long at = 0; Next(content, ref at, buffer) is > 0 and int read;) recoder.Survey(buffer.AsSpan(0, read));
            return recoder.EndSurvey();
        }
        finally { ArrayPool<byte>.Shared.Return(buffer); }
    }

    /// <summary>Writes what was surveyed; where nothing has to change it stays the same.</summary>
    public static async ValueTask WriteAsync(MimeRecoder surveyed, ContentReader content, IMessageSink into, CancellationToken cancel)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Piece);
        try
        {
            ArrayBufferWriter<byte> output = new(2 * Piece);
            for (long at = 0; Next(content, ref at, buffer) is > 0 and int read;)
            {
                surveyed.Write(buffer.AsSpan(0, read), output);
                await into.WriteAsync(output.WrittenMemory, cancel);
                output.ResetWrittenCount();
            }
            surveyed.Finish(output);
            await into.WriteAsync(output.WrittenMemory, cancel);
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
