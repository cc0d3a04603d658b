using MailKit.Net.Imap;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>Short ways with MailKit, for setting scenes and looking at what came of them.</summary>
internal static class Mail
{
    public static async Task<ImapClient> ImapAsync(PosthornProcess server, Account account)
    {
        ImapClient client = new() { ServerCertificateValidationCallback = (_, _, _, _) => true, Timeout = 60_000 };
        await client.ConnectAsync("127.0.0.1", server.Port("imaps"), SecureSocketOptions.SslOnConnect);
        await client.AuthenticateAsync(account.Login, account.Password);
        return client;
    }

    public static async Task<SmtpClient> SubmissionAsync(PosthornProcess server, Account account)
    {
        SmtpClient client = new() { ServerCertificateValidationCallback = (_, _, _, _) => true, Timeout = 60_000 };
        await client.ConnectAsync("127.0.0.1", server.Port("submission"), SecureSocketOptions.StartTls);
        await client.AuthenticateAsync(account.Login, account.Password);
        return client;
    }

    public static MimeMessage Compose(Account from, string to, string subject, string text)
    {
        MimeMessage message = new();
        message.From.Add(MailboxAddress.Parse(from.Address));
        message.To.Add(MailboxAddress.Parse(to));
        message.Subject = subject;
        message.Body = new TextPart("plain") { Text = text };
        return message;
    }

    /// <summary>The raw messages of a mailbox, in UID order.</summary>
    public static async Task<IReadOnlyList<byte[]>> ReadAllAsync(PosthornProcess server, Account account, string mailbox = "INBOX")
    {
        using ImapClient client = await ImapAsync(server, account);
        MailKit.IMailFolder folder = await client.GetFolderAsync(mailbox);
        await folder.OpenAsync(MailKit.FolderAccess.ReadOnly);
        List<byte[]> messages = [];
        for (int i = 0; i < folder.Count; i++)
        {
            using Stream stream = await folder.GetStreamAsync(i, "");
            using MemoryStream copy = new();
            await stream.CopyToAsync(copy);
            messages.Add(copy.ToArray());
        }
        await client.DisconnectAsync(true);
        return messages;
    }

    /// <summary>Waits until a mailbox has so many messages; what arrives through other servers takes its time.</summary>
    public static async Task<IReadOnlyList<byte[]>> WaitForAsync(PosthornProcess server, Account account, int count, string mailbox = "INBOX")
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        while (true)
        {
            IReadOnlyList<byte[]> messages = [];
            try { messages = await ReadAllAsync(server, account, mailbox); }
            catch (ImapCommandException) { /* it is made by its first message */ }
            if (messages.Count >= count) return messages;
            try { await Task.Delay(100, patience.Token); }
            catch (OperationCanceledException) { Assert.Fail($"{mailbox} of {account.Address} has {messages.Count} messages, expected {count}\n{server.Log}"); }
        }
    }
}
