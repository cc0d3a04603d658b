using System.Globalization;
using Posthorn.Control;
using Posthorn.Serving;
using Posthorn.Setup;
using Spectre.Console;

namespace Posthorn.Commands;

/// <summary>What a newcomer sees: settings for a mail program, and lines to try.</summary>
internal static class QuickstartScreen
{
    public static void Write(ServerHost host, QuickstartFolder folder, IAnsiConsole console)
    {
        console.WriteLine();
        console.Write(Settings(host));
        console.Write(Accounts(folder));
        ListenerReport? submission = host.Listeners.FirstOrDefault(l => l.Name == "submission");
        ListenerReport? imaps = host.Listeners.FirstOrDefault(l => l.Name == "imaps");
        ListenerReport? imap = host.Listeners.FirstOrDefault(l => l.Name == "imap");
        QuickstartAccount first = folder.State.Accounts[0], other = folder.State.Accounts[^1];
        string from = $"{first.LocalPart}@{folder.State.Domain}", to = $"{other.LocalPart}@{folder.State.Domain}";
        console.WriteLine("To try:");
        if (submission is not null)
            Console.Error.WriteLine(Line($"  swaks --server {submission.Host} --port {submission.Port} -tls --auth PLAIN --auth-user {from} --auth-password {first.Password} --from {from} --to {to}"));
        if (imaps is not null) Console.Error.WriteLine(Line($"  curl -k imaps://{imaps.Host}:{imaps.Port}/INBOX?ALL -u {to}:{other.Password}"));
        if (imap is not null) Console.Error.WriteLine(Line($"  openssl s_client -quiet -crlf -starttls imap -connect {imap.Host}:{imap.Port}"));
        console.WriteLine();
        console.WriteLine($"Configuration: {folder.ConfigurationFile}");
        console.WriteLine("Ctrl-C ends it; the next run finds the same accounts and mail.");
        console.WriteLine();
    }

    private static Table Settings(ServerHost host)
    {
        Table table = new Table().RoundedBorder().Title("Settings for a mail program").AddColumns("For", "Server", "Port", "Security", "Login");
        foreach (ListenerReport listener in host.Listeners)
        {
            (string Use, string Login)? row = listener.Name switch
            {
                "imap" or "imaps" => ("reading (IMAP)", "password"),
                "managesieve" => ("filters (ManageSieve)", "password"),
                "pop3" or "pop3s" => ("reading (POP3)", "password"),
                "submission" or "submissions" => ("sending (SMTP)", "password"),
                "smtp" => ("mail from other servers", "none"),
                "lmtp" => ("mail from a local mail server", "none"),
                _ => null,
            };
            if (row is not { } known) continue;
            string security = listener.Tls switch { "implicit" => "TLS", "starttls" => "STARTTLS", _ => "none" };
            table.AddRow(known.Use, listener.Host ?? listener.Path ?? "", listener.Port?.ToString(CultureInfo.InvariantCulture) ?? "", security, known.Login);
        }
        return table;
    }

    private static Table Accounts(QuickstartFolder folder)
    {
        Table table = new Table().RoundedBorder().Title("Accounts").AddColumns("Address and login", "Password");
        foreach (QuickstartAccount account in folder.State.Accounts) table.AddRow(Markup.Escape($"{account.LocalPart}@{folder.State.Domain}"), Markup.Escape(account.Password));
        return table;
    }

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
