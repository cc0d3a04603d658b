using System.Buffers;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;
using Posthorn.Store;

namespace Posthorn.Pop3.Commands;

/// <summary>Sends a message, or its top, in pieces: nothing holds a whole one in memory.</summary>
internal static class MessageSender
{
    /// <summary>Octets read at a time.</summary>
    private const int Piece = 32 * 1024;

    /// <summary>What goes out for NUL, which RFC 5322 forbids and at which Outlook stops for good; one octet, so that sizes hold (trap 42).</summary>
    private const byte NulReplacement = 0x80;

    /// <summary>Sends it as an answer of several lines.</summary>
    /// <param name="session">Who gets it.</param>
    /// <param name="number">Which message.</param>
    /// <param name="lines">How many lines of the body; null sends all.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>Null when it was sent; else why not.</returns>
    public static async ValueTask<Reply?> SendAsync(Pop3Session session, int number, int? lines, CancellationToken cancel)
    {
        if (session.Drop.Check(number) is { } wrong) return wrong;
        Result<IMessageContent> opened = await session.Drop.OpenContentAsync(number, cancel);
        if (!opened.IsOk) return opened.Refusal.Kind == RefusalKind.Expunged ? Reply.Gone : Pop3Session.FromRefusal(opened.Refusal);
        await using IMessageContent content = opened.Value;
        session.Out.Write(Reply.Ok(lines is null ? $"{content.Length} octets" : "The top follows"));
        DataWriter writer = new(session.Out);
        TopCutter? cutter = lines is { } limit ? new(limit) : null;
        byte[] piece = ArrayPool<byte>.Shared.Rent(Piece);
        try
        {
            for (long at = 0; at < content.Length && cutter is not { IsDone: true };)
            {
                int read = Read(content, at, piece.AsSpan(0, Piece));
                if (read == 0)
                {
                    GiveUp(session, number);
                    return null;
                }
                at += read;
                piece.AsSpan(0, read).Replace((byte)0, NulReplacement);
                writer.Write(piece.AsSpan(0, cutter?.Take(piece.AsSpan(0, read)) ?? read));
                await session.FlushIfLargeAsync(cancel);
            }
        }
        finally { ArrayPool<byte>.Shared.Return(piece); }
        writer.Finish();
        return null;
    }

    // A broken disk is the same as a file that is too short: in either case the rest cannot be had.
    private static int Read(IMessageContent content, long at, Span<byte> into)
    {
        try { return content.Read(at, into); }
        catch (IOException) { return 0; }
    }

    // Half a message has gone out: a proper end would make the client keep it, and perhaps delete ours.
    private static void GiveUp(Pop3Session session, int number)
    {
        session.Log.ContentShort(session.Id, session.Account!.ToString(), session.Drop.UidOf(number).Value);
        session.Connection.Abort();
        session.Close("content shorter than its size");
    }
}
