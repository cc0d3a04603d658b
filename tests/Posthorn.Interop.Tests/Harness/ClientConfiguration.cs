using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>Configuration files of mail clients for an account of a started server.</summary>
internal static class ClientConfiguration
{
    /// <summary>mbsync, both ways; the folder is made.</summary>
    public static string Mbsync(TemporaryFolder home, PosthornProcess server, Account account, string patterns = "*")
    {
        Folder.CreateDirectory(Path.Combine(home.Path, "mail"));
        return home.Write(".mbsyncrc", $"""
            IMAPAccount posthorn
            Host 127.0.0.1
            Port {server.Port("imaps")}
            User {account.Login}
            Pass {account.Password}
            SSLType IMAPS
            CertificateFile {Path.Combine(server.Directory, "tls", "certificate.pem")}

            IMAPStore remote
            Account posthorn

            MaildirStore local
            Path {home.Path}/mail/
            Inbox {home.Path}/mail/INBOX
            SubFolders Verbatim

            Channel all
            Far :remote:
            Near :local:
            Patterns {patterns}
            Create Both
            Expunge Both
            SyncState *

            """);
    }

    /// <summary>offlineimap; with names, these mailboxes alone.</summary>
    public static string Offlineimap(TemporaryFolder home, PosthornProcess server, Account account, params string[] only) => home.Write(".offlineimaprc", $"""
        [general]
        accounts = posthorn
        metadata = {home.Path}/state
        ui = quiet
        [Account posthorn]
        localrepository = local
        remoterepository = remote
        [Repository local]
        type = Maildir
        localfolders = {home.Path}/mail
        [Repository remote]
        type = IMAP
        remotehost = localhost
        remoteport = {server.Port("imaps")}
        remoteuser = {account.Login}
        remotepass = {account.Password}
        ssl = yes
        sslcacertfile = {Path.Combine(server.Directory, "tls", "certificate.pem")}
        ssl_version = tls1_2
        {(only.Length == 0 ? "" : $"folderfilter = lambda name: name in [{string.Join(", ", only.Select(name => $"'{name}'"))}]")}

        """);
}
