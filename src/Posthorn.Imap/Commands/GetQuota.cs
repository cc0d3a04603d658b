using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>GETQUOTA: the one root of an account has an empty name (RFC 9208 section 4.1.1).</summary>
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
        if (Root.Length > 0) return Completion.No("NONEXISTENT", "There is one quota root, with an empty name");
        await WriteAsync(session, cancel);
        return Completion.Ok("Quota told");
    }

    /// <summary>Writes QUOTA: only what has a limit; STORAGE in units of 1,024 octets.</summary>
    public static async ValueTask WriteAsync(ImapSession session, CancellationToken cancel)
    {
        QuotaState quota = await session.Store.QuotaAsync(cancel);
        session.Out.Begin("QUOTA \"\" ("u8);
        if (quota.LimitBytes is { } bytes) session.Out.Raw($"STORAGE {(quota.UsedBytes + 1023) / 1024} {bytes / 1024}");
        if (quota.LimitMessages is { } messages) session.Out.Raw($"{(quota.LimitBytes is null ? "" : " ")}MESSAGE {quota.UsedMessages} {messages}");
        session.Out.Raw(")"u8);
        session.Out.End();
    }
}

/// <summary>GETQUOTAROOT (RFC 9208 section 4.1.2).</summary>
internal sealed record GetQuotaRoot(MailboxName Name) : IImapCommand<GetQuotaRoot>
{
    public static GetQuotaRoot Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName name = args.Mailbox();
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        session.Out.Begin("QUOTAROOT "u8);
        session.Out.Mailbox(Name.Value);
        session.Out.Raw(" \"\""u8);
        session.Out.End();
        await GetQuota.WriteAsync(session, cancel);
        return Completion.Ok("Quota told");
    }
}

/// <summary>SETQUOTA: limits are the administrator's, who sets them in the directory (RFC 9208 section 4.1.3).</summary>
internal sealed record SetQuota : IImapCommand<SetQuota>
{
    public static SetQuota Parse(ref ImapReader args)
    {
        args.Space();
        args.AString();
        args.Space();
        args.Take((byte)'(');
        if (args.Next != ')')
        {
            do
            {
                args.Atom();
                args.Space();
                args.Number64();
            }
            while (args.TrySpace());
        }
        args.Take((byte)')');
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel) =>
        new(Completion.No("NOPERM", "Limits are set by the administrator"));
}
