using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>Quota roots: each account is one. Its own user calls it <c>""</c>, administrators any by its address (RFC 9208 section 3.2).</summary>
internal static class QuotaRoots
{
    /// <summary>The account that a root's name means to this user; null for none.</summary>
    public static MailAccount? Find(ImapSession session, string root)
    {
        if (root.Length == 0) return Fresh(session, session.Account!);
        if (!IsAdministrator(session) || !EmailAddress.TryParse(root, out EmailAddress address)) return null;
        return session.Services.Directory.FindAccount(address);
    }

    /// <summary>The account with its limits of today: the session's own copy is as old as its login.</summary>
    public static MailAccount Fresh(ImapSession session, MailAccount account) => session.Services.Directory.FindAccount(account.Address) ?? account;

    /// <summary>May set limits.</summary>
    public static bool IsAdministrator(ImapSession session) => session.Account is { } account && session.Options.Administrators.Contains(account.Address);

    /// <summary>Writes QUOTA: only what has a limit; STORAGE in units of 1,024 octets.</summary>
    public static void Write(ImapSession session, string root, QuotaState quota)
    {
        session.Out.Begin("QUOTA "u8);
        session.Out.String(root);
        session.Out.Raw(" ("u8);
        if (quota.LimitBytes is { } bytes) session.Out.Raw($"STORAGE {(quota.UsedBytes + 1023) / 1024} {bytes / 1024}");
        if (quota.LimitMessages is { } messages) session.Out.Raw($"{(quota.LimitBytes is null ? "" : " ")}MESSAGE {quota.UsedMessages} {messages}");
        session.Out.Raw(")"u8);
        session.Out.End();
    }

    /// <summary>What an account uses and may use.</summary>
    public static async ValueTask<Result<QuotaState>> StateAsync(ImapSession session, MailAccount account, CancellationToken cancel)
    {
        Result<IMailStore> opened = await session.Services.Stores.OpenAsync(account, cancel);
        if (!opened.IsOk) return opened.Refusal;
        await using IMailStore store = opened.Value;
        return await store.QuotaAsync(cancel);
    }
}
