using System.Text;
using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>SETQUOTA, for administrators: the limits go where the accounts are kept. A resource that is not named has no limit any more (RFC 9208 section 4.1.3).</summary>
/// <remarks><c>setquota = "SETQUOTA" SP quota-root-name SP "(" [setquota-resource *(SP setquota-resource)] ")"</c></remarks>
internal sealed record SetQuota(string Root, long? Storage, long? Messages) : IImapCommand<SetQuota>
{
    public static SetQuota Parse(ref ImapReader args)
    {
        args.Space();
        string root = ImapReader.Text(args.AString());
        args.Space();
        long? storage = null, messages = null;
        args.Take((byte)'(');
        if (args.Next != ')')
        {
            do
            {
                ReadOnlySpan<byte> resource = args.Atom();
                bool isStorage = Ascii.EqualsIgnoreCase(resource, "STORAGE"u8);
                if (!isStorage && !Ascii.EqualsIgnoreCase(resource, "MESSAGE"u8)) args.Refuse(Completion.No("CANNOT", "Limits here are of STORAGE and MESSAGE"));
                args.Space();
                long limit = args.Number64();
                if (isStorage) storage = limit;
                else messages = limit;
            }
            while (args.TrySpace());
        }

        args.Take((byte)')');
        args.End();
        return new(root, storage, messages);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (!QuotaRoots.IsAdministrator(session)) return Completion.No("NOPERM", "Limits are set by the administrator");
        if (session.Services.Limits is not { } limits) return Completion.No("CANNOT", "The accounts are kept where limits cannot be set from here");
        if (QuotaRoots.Find(session, Root) is not { } account) return Completion.No("NONEXISTENT", "There is no such quota root; it is the address of an account");
        if (Storage is 0 || Messages is 0 || Storage > long.MaxValue / 1024) return Completion.No("CANNOT", "A limit is at least 1; leave a resource out for no limit");
        Result<Done> done = await limits.SetQuotaAsync(account, Storage * 1024, Messages, cancel);
        if (!done.IsOk) return Completion.From(done.Refusal);
        session.Log.QuotaSet(session.Connection.Session, session.Account!.ToString(), account.ToString(), Storage ?? 0, Messages ?? 0);
        // Opened anew, so that sessions that run hear of it too.
        Result<QuotaState> state = await QuotaRoots.StateAsync(session, QuotaRoots.Fresh(session, account), cancel);
        if (state.IsOk) QuotaRoots.Write(session, Root, state.Value);
        return Completion.Ok("Limits set");
    }
}
