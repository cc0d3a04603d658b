using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>GETQUOTA (RFC 9208 section 4.1.1).</summary>
internal sealed record GetQuota(string Root) : IImapCommand<GetQuota>
{
    public static GetQuota Parse(ref ImapReader args)
    {
        args.Space();
        string root = ImapReader.Text(args.AString());
        args.End();
        return new(root);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (QuotaRoots.Find(session, Root) is not { } account) return Completion.No("NONEXISTENT", "There is one quota root, with an empty name");
        Result<QuotaState> state = await QuotaRoots.StateAsync(session, account, cancel);
        if (!state.IsOk) return Completion.From(state.Refusal);
        QuotaRoots.Write(session, Root, state.Value);
        return Completion.Ok("Quota told");
    }
}
