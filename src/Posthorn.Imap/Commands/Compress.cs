using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>COMPRESS (RFC 4978). Every answer is flushed, so that peers that wait for it do not wait for more (trap 31).</summary>
/// <remarks><c>compress = "COMPRESS" SP "DEFLATE"</c></remarks>
internal sealed record Compress : IImapCommand<Compress>
{
    public static Compress Parse(ref ImapReader args)
    {
        args.Space();
        if (!args.TryWord("DEFLATE"u8)) args.Fail("DEFLATE");
        args.End();
        return new();
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (session.Connection.IsCompressed || !session.Connection.CanLayer) return Completion.No("COMPRESSIONACTIVE", "Compression is in use");
        session.Out.Tagged(session.Tag, Completion.Ok("Compression starts now"));
        await session.FlushAsync(cancel);
        session.Connection.StartCompression();
        return Completion.Written;
    }
}
