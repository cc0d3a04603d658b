using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>RSET: drops the transaction, keeps the rest (RFC 5321 section 4.1.1.5).</summary>
internal sealed record Rset : ISmtpCommand<Rset>
{
    public static Rset Parse(ref SmtpReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        await session.EndTransactionAsync();
        return Reply.Ok;
    }
}
