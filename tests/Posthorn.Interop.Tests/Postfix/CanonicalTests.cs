using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using MimeKit;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Transport;
using Posthorn.Transport.Rewriting;

namespace Posthorn.Interop.Tests.Postfix;

/// <summary>
/// Generated tables of canonical(5) and generic(5), senders, recipients and headers: what a running Postfix makes of them and hands on is what we make of them, for each of the classes of cleanup(8):
/// the sender and the recipients of the envelope, those of the header, and whose headers.
/// </summary>
public sealed class CanonicalTests : IAsyncLifetime
{
    private const string Own = "foreign.example";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly string[] Locals = ["ann", "ann+x", "Bob", "\"an n\"", "\"an n+y\"", "carl"];
    private static readonly string[] Domains = [Own, "b.example", "a.b.example", "far.example"];

    private readonly TemporaryFolder _folder = new();
    private readonly ScriptedPeer _peer = new() { Name = "next.example" };
    private readonly Random _random = new(5);
    private PostfixServer? _postfix;
    private int _port;

    private sealed record Case(string[] Theirs, RewritingOptions Ours);

    public async ValueTask InitializeAsync()
    {
        string postfix = Peer.Require("postfix", "postfix");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        string next = string.Create(CultureInfo.InvariantCulture, $"[127.0.0.1]:{_peer.Listen().Port}");
        _postfix = await PostfixServer.StartAsync(postfix, _folder.Path, _port = Ports.Free(), next);
        await Peer.SucceedAsync("postconf", ["-c", _postfix.ConfigurationFolder, "-e", $"mydestination = {Own}", $"myorigin = {Own}", "local_recipient_maps =", "virtual_mailbox_domains =", $"local_transport = smtp:{next}",
            "recipient_delimiter = +", "append_dot_mydomain = no", "smtp_tls_security_level = none", "mynetworks = 127.0.0.0/8"]);
    }

    public async ValueTask DisposeAsync()
    {
        if (_postfix is not null) await _postfix.DisposeAsync();
        await _peer.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Every_class_of_addresses_becomes_the_same()
    {
        string postmap = Peer.Require("postmap", "postfix");
        Case[] cases =
        [
            new(["canonical_maps"], new() { Canonical = ["t0"] }),
            new(["sender_canonical_maps", "recipient_canonical_maps", "canonical_maps"], new() { SenderCanonical = ["t0"], RecipientCanonical = ["t1"], Canonical = ["t2"] }),
            new(["canonical_maps", "canonical_classes = envelope_sender, header_recipient"], new() { Canonical = ["t0"], CanonicalClasses = AddressClasses.EnvelopeSender | AddressClasses.HeaderRecipient }),
            new(["sender_canonical_maps", "recipient_canonical_maps", "sender_canonical_classes = header_sender", "recipient_canonical_classes = envelope_recipient"],
                new() { SenderCanonical = ["t0"], RecipientCanonical = ["t1"], SenderClasses = AddressClasses.HeaderSender, RecipientClasses = AddressClasses.EnvelopeRecipient }),
            new(["canonical_maps", "local_header_rewrite_clients ="], new() { Canonical = ["t0"], Headers = HeaderRewriting.None }),
            new(["smtp_generic_maps"], new() { Generic = ["t0"] }),
            new(["canonical_maps", "smtp_generic_maps"], new() { Canonical = ["t0"], Generic = ["t1"] }),
        ];
        int changed = 0;
        foreach ((Case one, int number) in cases.Select((one, number) => (one, number)))
        {
            List<string> settings = [.. one.Theirs.Where(text => text.Contains('=', StringComparison.Ordinal))];
            Dictionary<string, LookupSource> tables = [];
            foreach (string maps in one.Theirs.Except(settings).ToArray())
            {
                string table = Path.Combine(_postfix!.ConfigurationFolder, $"{maps}{number}");
                await File.WriteAllTextAsync(table, Table(), TestContext.Current.CancellationToken);
                await Peer.SucceedAsync(postmap, [$"hash:{table}"]);
                settings.Add($"{maps} = hash:{table}");
                tables.Add($"t{tables.Count}", new(LookupType.Hash, table));
            }
            string[] unset = ["canonical_maps", "sender_canonical_maps", "recipient_canonical_maps", "smtp_generic_maps", "canonical_classes", "sender_canonical_classes", "recipient_canonical_classes", "local_header_rewrite_clients"];
            await Peer.SucceedAsync("postconf", ["-c", _postfix!.ConfigurationFolder, "-X", .. unset]);
            await Peer.SucceedAsync("postconf", ["-c", _postfix.ConfigurationFolder, "-e", .. settings]);
            await _postfix.RestartAsync();
            (string from, string[] to, string header) = (Address(), [.. Enumerable.Range(0, 12).Select(_ => Address()).Distinct(StringComparer.OrdinalIgnoreCase)], Header());
            string theirs = Told(await TheirsAsync(from, to, header));
            string ours = Told(await OursAsync(one.Ours, tables, from, to, header));
            string given = Told((from, to, header));
            Assert.True(theirs == ours, $"{string.Join(", ", settings)}\n{header}\n{string.Concat(tables.Values.Select(table => File.ReadAllText(table.Path) + "--\n"))}given\n{given}\nPostfix\n{theirs}\nwe\n{ours}");
            if (theirs != given) changed++;
        }
        Assert.Equal(cases.Length, changed);
    }

    private string Any(string[] some) => some[_random.Next(some.Length)];

    private string Address() => $"{Any(Locals)}@{Any(Domains)}";

    private string Table()
    {
        string[] keys = [.. Locals.SelectMany(local => Domains.Select(domain => $"{local}@{domain}")), .. Locals, "\"an n\"", .. Domains.Select(domain => "@" + domain)];
        return string.Concat(keys.Distinct(StringComparer.OrdinalIgnoreCase).Where(_ => _random.Next(3) == 0)
            .Select((key, i) => $"{key} {_random.Next(6) switch { 0 => $"n{i}", 1 => "@moved.example", 2 => $"ann@{Any(Domains)}", _ => $"n{i}@new.example" }}\n"));
    }

    private string Header()
    {
        string[] names = ["From", "Sender", "Reply-To", "Errors-To", "Return-Receipt-To", "Disposition-Notification-To", "Mail-Followup-To", "To", "Cc", "Apparently-To", "X-Other", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Reply-To"];
        StringBuilder header = new();
        foreach (string name in names)
        {
            string[] list = [.. Enumerable.Range(0, 1 + _random.Next(4)).Select(_ => Address() is var address && _random.Next(5) is var form && form == 0 ? $"Some One <{address}>" : form == 1 ? $"\"One, <x@{Own}>\" <{address}>" : form == 2 ? $"{address} (ann@{Own})" : address)];
            header.Append(CultureInfo.InvariantCulture, $"{name}: {(_random.Next(6) == 0 ? $"group: {string.Join(", ", list)};" : string.Join(_random.Next(2) == 0 ? ", " : ",\r\n\t", list))}\r\n");
        }
        return header.Append("Date: Fri, 1 May 2026 12:00:00 +0000\r\nMessage-ID: <1@x>\r\nSubject: ann@foreign.example\r\n").ToString();
    }

    private async Task<(string From, string[] To, string Header)> TheirsAsync(string from, string[] to, string header)
    {
        int before = _peer.Messages.Count;
        await using RawClient client = await RawClient.ConnectAsync(_port);
        await client.ReplyAsync();
        foreach (string command in (string[])["EHLO client.example", $"MAIL FROM:<{from}>", .. to.Select((one, i) => $"RCPT TO:<{one}> NOTIFY=NEVER ORCPT=rfc822;q{i:D2}@label"), "DATA", $"{header}\r\nx\r\n."])
        {
            string reply = await client.CommandAsync(command);
            Assert.True(reply[0] is '2' or '3', $"{command}: {reply}");
        }
        using CancellationTokenSource patience = new(Patience);
        while (!patience.IsCancellationRequested && _peer.Messages.Skip(before).Sum(message => message.To.Count) < to.Length) await Task.Delay(20, TestContext.Current.CancellationToken);
        PeerMessage[] messages = [.. _peer.Messages.Skip(before)];
        Assert.NotEmpty(messages);
        string[] labelled = [.. messages.SelectMany(message => message.To).OrderBy(one => one[one.IndexOf("ORCPT=", StringComparison.Ordinal)..], StringComparer.Ordinal)];
        return (Bare(messages[0].From), [.. labelled.Select(Bare)], Encoding.UTF8.GetString(messages[0].Content).Split("\r\n\r\n")[0] + "\r\n");

        static string Bare(string path) => path[1..path.LastIndexOf('>')];
    }

    private static async Task<(string From, string[] To, string Header)> OursAsync(RewritingOptions options, Dictionary<string, LookupSource> sources, string from, string[] to, string header)
    {
        LookupTables tables = new(new() { Tables = sources }, TimeProvider.System, NullLogger.Instance);
        using MailDirectory directory = new(new() { Domains = [new() { Name = DomainName.Create(Own) }], MailHomeTemplate = "/nonexistent/{localpart}", MailLocationTemplate = "maildir:/nonexistent/{localpart}" }, TimeProvider.System, NullLogger.Instance);
        AddressRewriter rewriter = new(options, tables, directory);
        (ReversePath sender, IReadOnlyList<EnvelopeRecipient> recipients) = await rewriter.EnvelopeAsync(ReversePath.Of(EmailAddress.Parse(from)), to.Select(one => new EnvelopeRecipient(EmailAddress.Parse(one), DsnNotify.Never, null)), default);
        if (options.Headers != HeaderRewriting.None) header = await HeaderAsync(header, (address, isSender, cancel) => rewriter.CanonicalAsync(address, isSender ? AddressClasses.HeaderSender : AddressClasses.HeaderRecipient, cancel));
        header = await HeaderAsync(header, (address, _, cancel) => rewriter.GenericAsync(address, cancel));
        List<string> gone = [];
        foreach (EnvelopeRecipient one in recipients) gone.Add((await rewriter.GenericAsync(one.Address, default)).ToString());
        return ((await rewriter.GenericAsync(sender.Address, default)).ToString(), [.. gone], header);
    }

    private static async Task<string> HeaderAsync(string header, Func<EmailAddress, bool, CancellationToken, ValueTask<EmailAddress>> map)
    {
        MemoryStream output = new();
        HeaderRewriter fields = new(map, bytes => output.WriteAsync(bytes));
        await fields.WriteAsync(Encoding.UTF8.GetBytes(header), default);
        await fields.CompleteAsync(default);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    // The addresses alone: Postfix writes a field anew when it changes one.
    private static string Told((string From, string[] To, string Header) message)
    {
        StringBuilder told = new();
        told.AppendLine(CultureInfo.InvariantCulture, $"MAIL {message.From}").AppendLine(CultureInfo.InvariantCulture, $"RCPT {string.Join(' ', message.To)}");
        foreach (string field in message.Header.Replace("\r\n\t", " ", StringComparison.Ordinal).Replace("\r\n ", " ", StringComparison.Ordinal).Split("\r\n", StringSplitOptions.RemoveEmptyEntries))
        {
            (string name, string value) = (field[..field.IndexOf(':', StringComparison.Ordinal)], field[(field.IndexOf(':', StringComparison.Ordinal) + 1)..]);
            if (name is "Received" or "Date" or "Message-ID" || name.StartsWith("Resent-", StringComparison.Ordinal) && name is "Resent-Date" or "Resent-Message-Id") continue;
            told.AppendLine(CultureInfo.InvariantCulture, $"{name}: {(name == "Subject" ? value.Trim() : string.Join(", ", InternetAddressList.Parse(value).Mailboxes.Select(mailbox => mailbox.Address)))}");
        }
        return told.ToString().ToLowerInvariant();
    }
}
