using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Serving;
using Posthorn.Store;

namespace Posthorn.Setup;

/// <summary>The first mail in a quickstart account: shows that reading works before anything was sent.</summary>
internal static class WelcomeMail
{
    /// <summary>Delivers it to every account whose INBOX never held a message.</summary>
    public static async Task DeliverAsync(ServerHost host, QuickstartFolder folder, CancellationToken cancel)
    {
        foreach (MailAccount account in host.Directory.Accounts)
            if (await IsUntouchedAsync(host.Stores, account, cancel)) await DeliverAsync(host, account, folder.State.Domain, cancel);
    }

    private static async Task<bool> IsUntouchedAsync(IMailStores stores, MailAccount account, CancellationToken cancel)
    {
        Result<IMailStore> opened = await stores.OpenAsync(account, cancel);
        if (!opened.TryGet(out IMailStore? store, out _)) return false;
        await using (store)
        {
            Result<MailboxStatus> status = await store.StatusAsync(MailboxName.Inbox, cancel);
            return status.TryGet(out MailboxStatus? inbox, out _) && inbox.UidNext.Value == 1;
        }
    }

    private static async Task DeliverAsync(ServerHost host, MailAccount account, string domain, CancellationToken cancel)
    {
        await using IMessageSink sink = host.Stores.CreateSink();
        await sink.WriteAsync(Encoding.UTF8.GetBytes(Compose(account, domain, host.Time.GetUtcNow())), cancel);
        LocalDelivery delivery = new(account, MailboxName.Inbox, SystemFlags.None, KeywordSet.Empty, default);
        await host.Stores.DeliverAsync(sink, [delivery], null, cancel);
    }

    private static string Compose(MailAccount account, string domain, DateTimeOffset now) => string.Create(CultureInfo.InvariantCulture, $"""
        Return-Path: <>
        Date: {now:ddd, dd MMM yyyy HH:mm:ss} +0000
        From: Posthorn <postmaster@{domain}>
        To: {account.Address}
        Subject: Welcome to Posthorn
        Message-ID: <welcome.{now:yyyyMMddHHmmss}.{account.Address.LocalPart.GetHashCode(StringComparison.Ordinal):x8}@{domain}>
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit
        Auto-Submitted: auto-generated

        This mail lies in a real Maildir:
        {account.MailRoot}

        Write to another account of this server, or answer this one: both work at
        once. What you send to other domains really leaves for their servers.

        For a server of your own domain: posthorn init DOMAIN

        """).ReplaceLineEndings("\r\n");
}
