using System.Net;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Testing;
using Posthorn.Transport.Rewriting;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Rewriting;

/// <summary>Addresses that become others by tables, on the way in and out, and copies.</summary>
public sealed class RewritingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, LookupSource> _tables = [];

    public void Dispose() => _folder.Dispose();

    private static ClientContext Local => TransportRig.Stranger with { Address = IPAddress.Loopback, IsTrusted = true };

    [Fact]
    public async Task Canonical_changes_envelope_and_header_of_local_programs()
    {
        Table("canonical", "old@example.org ann\n@internal.example @example.org\nroot@example.org Bob@example.org\n");
        using TransportRig rig = Rig(new() { Canonical = ["canonical"] });
        Assert.True((await rig.RcptAsync(Local, "old@example.org")).IsPositive);
        AcceptOutcome outcome = await rig.SendAsync(rig.Envelope(Local, "root@example.org", "old@example.org"),
            "From: The root <root@example.org>\nTo: \"old@example.org\" <old@example.org>,\n x@internal.example (old@example.org), y@far.example\nSubject: root@example.org\nDate: x\nMessage-ID: <1@x>\n\nold@example.org\n", piece: 7);
        Assert.True(outcome.Overall.IsPositive);
        Assert.Single(outcome.Recipients);
        string mail = Assert.Single(await rig.MailAsync(rig.Ann));
        Assert.Contains("Return-Path: <Bob@example.org>\r\n", mail, StringComparison.Ordinal);
        Assert.EndsWith("From: The root <Bob@example.org>\r\nTo: \"old@example.org\" <ann@example.org>,\r\n x@example.org (old@example.org), y@far.example\r\nSubject: root@example.org\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\nold@example.org\r\n", mail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_others_write_in_their_headers_stays()
    {
        Table("canonical", "old@example.org ann@example.org\n");
        using TransportRig rig = Rig(new() { Canonical = ["canonical"] });
        await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "x@far.example", "old@example.org"), "To: old@example.org\n\nx\n");
        Assert.Contains("\r\nTo: old@example.org\r\n", Assert.Single(await rig.MailAsync(rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sender_and_recipient_tables_hold_for_their_side()
    {
        Table("senders", "ann@example.org public@example.org\n");
        Table("recipients", "bob@example.org ann@example.org\n");
        using TransportRig rig = Rig(new() { SenderCanonical = ["senders"], RecipientCanonical = ["recipients"], Headers = HeaderRewriting.All });
        await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "ann@example.org", "bob@example.org"), "From: ann@example.org\nTo: bob@example.org, ann@example.org\n\nx\n");
        string mail = Assert.Single(await rig.MailAsync(rig.Ann));
        Assert.Contains("From: public@example.org\r\nTo: ann@example.org, ann@example.org\r\n", mail, StringComparison.Ordinal);
        Assert.Empty(await rig.MailAsync(rig.Bob));
    }

    [Fact]
    public async Task A_table_changes_the_places_that_it_is_given()
    {
        Table("all", "ann@example.org other@example.org\n");
        using TransportRig rig = Rig(new() { Canonical = ["all"], CanonicalClasses = AddressClasses.EnvelopeSender | AddressClasses.HeaderRecipient, Headers = HeaderRewriting.All });
        await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "ann@example.org", "ann@example.org"), "From: ann@example.org\nTo: ann@example.org\n\nx\n");
        string mail = Assert.Single(await rig.MailAsync(rig.Ann));
        Assert.Contains("Return-Path: <other@example.org>\r\n", mail, StringComparison.Ordinal);
        Assert.Contains("From: ann@example.org\r\nTo: other@example.org\r\n", mail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_table_opens_the_relay()
    {
        Table("canonical", "victim@far.example ann@example.org\nopen@example.org victim@far.example\n");
        using TransportRig rig = Rig(new() { Canonical = ["canonical"] });
        Assert.Equal(554, (await rig.RcptAsync(TransportRig.Stranger, "victim@far.example")).Code);
        // An address of ours that the administrator sends elsewhere is as an alias.
        Assert.True((await rig.RcptAsync(TransportRig.Stranger, "open@example.org")).IsPositive);
    }

    // The name that a stranger chooses within quotation marks must not become an address that he chooses.
    [Theory]
    [InlineData("/^list-(.*)@example\\.org$/ $1@example.org", "\"list-victim@far.example,y\"@example.org")]
    [InlineData("/^\"?list-([^\"]*)\"?@example\\.org$/ $1@example.org", "\"list-victim@far.example,y\"@example.org")]
    [InlineData("/^(.*)-list@example\\.org$/ $1", "\"victim@far.example-list\"@example.org")]
    [InlineData("/^\"?(.*)-list\"?@example\\.org$/ $1", "\"victim@far.example-list\"@example.org")]
    public async Task No_pattern_opens_the_relay(string pattern, string recipient)
    {
        Table("canonical", pattern + "\n", LookupType.Pcre);
        using (TransportRig rig = Rig(new() { RecipientCanonical = ["canonical"] }))
            Assert.False((await rig.RcptAsync(TransportRig.Stranger, recipient)).IsPositive);
        Table("bcc", pattern + "\n", LookupType.Pcre);
        using (TransportRig rig = Rig(new() { SenderBcc = ["bcc"], RecipientBcc = ["bcc"] }))
        {
            await rig.SendAsync(rig.Envelope(TransportRig.Lmtp, recipient, "ann@example.org"), "Subject: a\n\nx\n");
            Assert.Single(await rig.MailAsync(rig.Ann));
            Assert.Empty(rig.Queued);
        }
    }

    [Fact]
    public async Task A_name_in_quotation_marks_is_one_piece()
    {
        Table("canonical", "/^(.*)@old\\.example$/ $1@example.org\n", LookupType.Pcre);
        using TransportRig rig = Rig(new() { SenderCanonical = ["canonical"] });
        await rig.SendAsync(rig.Envelope(TransportRig.Lmtp, "\"a, b\"@old.example", "ann@example.org"), "Subject: a\n\nx\n");
        Assert.Contains("Return-Path: <\"a, b\"@example.org>\r\n", Assert.Single(await rig.MailAsync(rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Copies_go_to_always_sender_and_recipient_bcc_once()
    {
        Table("sbcc", "@far.example bob@example.org\n");
        Table("rbcc", "ann@example.org bob, nobody\n");
        using TransportRig rig = Rig(new() { AlwaysBcc = EmailAddress.Parse("archive@else.example"), SenderBcc = ["sbcc"], RecipientBcc = ["rbcc"] });
        AcceptOutcome outcome = await rig.SendAsync(rig.Envelope(TransportRig.Lmtp, "x@far.example", "ann@example.org"), "Subject: a\n\nx\n");
        Assert.Single(outcome.Recipients);
        Assert.Single(await rig.MailAsync(rig.Ann));
        Assert.Single(await rig.MailAsync(rig.Bob));
        Assert.Equal(["archive@else.example"], Assert.Single(rig.Queued).Message.Recipients.Select(static r => r.Address.ToString()));
        Assert.Equal(DsnNotify.Never, rig.Queued[0].Message.Recipients[0].Notify);
    }

    /// <summary>By LMTP each recipient has a reply, and a copy has none: what an archive cannot take just now waits for it.</summary>
    [Fact]
    public async Task A_copy_whose_mailbox_is_full_waits()
    {
        using TransportRig rig = Rig(new() { AlwaysBcc = EmailAddress.Parse("bob@example.org") });
        rig.Stores.Refuses = delivery => delivery.Account == rig.Bob ? new(RefusalKind.OverQuota, "full") : null;
        AcceptOutcome outcome = await rig.SendAsync(rig.Envelope(TransportRig.Lmtp, "x@far.example", "ann@example.org"), "Subject: a\n\nx\n");
        Assert.True(Assert.Single(outcome.Recipients).IsPositive);
        Assert.Single(await rig.MailAsync(rig.Ann));
        Assert.Equal("bob@example.org", Assert.Single(Assert.Single(rig.Queued).Message.Recipients).Address.ToString());
        // Where nobody has it, the client sends it again: nothing waits.
        rig.Stores.Refuses = _ => new(RefusalKind.Unavailable, "not now");
        Assert.Equal(451, Assert.Single((await rig.SendAsync(rig.Envelope(TransportRig.Lmtp, "x@far.example", "ann@example.org"), "Subject: a\n\nx\n")).Recipients).Code);
        Assert.Single(rig.Queued);
    }

    [Fact]
    public async Task Who_has_moved_is_told()
    {
        Table("relocated", "gone@example.org new@far.example or +1 555 0100\n");
        using TransportRig rig = Rig(new() { Relocated = ["relocated"] });
        Assert.Equal(new(550, "5.1.6", "The user has moved to new@far.example or +1 555 0100"), await rig.RcptAsync(TransportRig.Stranger, "gone@example.org"));
        Assert.Equal("5.1.1", (await rig.RcptAsync(TransportRig.Stranger, "nobody@example.org")).Status);
    }

    [Fact]
    public async Task A_table_that_cannot_say_puts_mail_off()
    {
        _tables["canonical"] = new(LookupType.Hash, Path.Combine(_folder.Path, "missing"));
        using TransportRig rig = Rig(new() { Canonical = ["canonical"] });
        Assert.Equal(451, (await rig.RcptAsync(TransportRig.Stranger, "ann@example.org")).Code);
        Assert.Equal(451, (await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "x@far.example", "ann@example.org"), "Subject: a\n\nx\n")).Overall.Code);
        Assert.Empty(await rig.MailAsync(rig.Ann));
    }

    [Fact]
    public async Task A_circle_of_tables_ends()
    {
        Table("canonical", "a@example.org b@example.org\nb@example.org a@example.org\n");
        LookupTables tables = Tables();
        AddressRewriter rewriter = new(new() { Canonical = ["canonical"] }, tables, new FakeDirectory());
        Assert.Equal("a@example.org", (await rewriter.CanonicalAsync(EmailAddress.Parse("a@example.org"), AddressClasses.EnvelopeRecipient, default)).ToString());
    }

    [Fact]
    public async Task Generic_changes_what_leaves_and_nothing_that_stays()
    {
        Table("generic", "ann@example.org public@isp.example\n");
        await using OutboundRig rig = new(options => options with { Rewriting = new() { Generic = ["generic"] } }, tables: Tables());
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "far.example");
        await rig.Rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "x@far.example", "bob@example.org"), "From: Ann <ann@example.org>\nTo: x@far.example\nSubject: s\n\nann@example.org\n");
        await rig.UntilEmptyAsync();
        PeerMessage sent = Assert.Single(peer.Messages);
        Assert.StartsWith("<public@isp.example>", sent.From, StringComparison.Ordinal);
        Assert.Contains("From: Ann <public@isp.example>\r\n", OutboundRig.Text(sent), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nann@example.org\r\n", OutboundRig.Text(sent), StringComparison.Ordinal);
        Assert.Contains("From: Ann <ann@example.org>", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("From: ann@example.org", "ann@example.org")]
    [InlineData("From: \"a, <x@y>\" <ann@example.org>, (c@d (e@f)) bob@x", "ann@example.org|bob@x")]
    [InlineData("To: group: a@b, c@d;, e@f", "a@b|c@d|e@f")]
    [InlineData("To: <@r1,@r2:a@b>", "a@b")]
    [InlineData("To: \"q@q\"@b.example", "\"q@q\"@b.example")]
    [InlineData("To: undisclosed-recipients:;", "")]
    [InlineData("To: <a@b", "a@b")]
    public void Addresses_are_found_where_they_stand(string field, string found)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(field);
        Assert.Equal(found, string.Join('|', AddressSpans.In(bytes, field.IndexOf(':', StringComparison.Ordinal) + 1).Select(r => Encoding.UTF8.GetString(bytes[r]))));
    }

    private static readonly string[] Pieces = ["From: a@b.example\r\n", "To: \"x", "\r\n", "\n", " c@d.example,", "Cc: <", "(", "Received: x\r\n\ty\r\n", ">", "Subject: a@b\r\n"];

    [Fact]
    public Task Any_header_comes_through_whole_however_it_is_split() => Gen.Select(
        Gen.OneOf(Gen.String, Gen.Int[0, Pieces.Length - 1].Select(i => Pieces[i])).Array[0, 10].Select(string.Concat),
        Gen.Int[1, 50]).SampleAsync(async (text, piece) =>
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            MemoryStream output = new();
            HeaderRewriter rewriter = new((address, _, _) => ValueTask.FromResult(address), part => output.WriteAsync(part));
            for (int at = 0; at < bytes.Length; at += piece) await rewriter.WriteAsync(bytes.AsMemory(at, Math.Min(piece, bytes.Length - at)), default);
            await rewriter.CompleteAsync(default);
            Assert.Equal(bytes, output.ToArray());
        }, iter: 1000, threads: 1);

    [Fact]
    public async Task A_field_over_the_limit_goes_through_as_it_is()
    {
        string field = "To: " + string.Join(",\r\n ", Enumerable.Repeat("a@b.example", 10_000)) + "\r\n";
        MemoryStream output = new();
        HeaderRewriter rewriter = new((_, _, _) => ValueTask.FromResult(EmailAddress.Parse("z@z.example")), part => output.WriteAsync(part));
        await rewriter.WriteAsync(Encoding.ASCII.GetBytes(field + "From: a@b.example\r\n\r\nx"), default);
        await rewriter.CompleteAsync(default);
        Assert.Equal(field + "From: z@z.example\r\n\r\nx", Encoding.ASCII.GetString(output.ToArray()));
    }

    private void Table(string name, string text, LookupType type = LookupType.Hash)
    {
        string path = Path.Combine(_folder.Path, name);
        File.WriteAllText(path, text);
        _tables[name] = new(type, path);
    }

    private LookupTables Tables() => new(new() { Tables = _tables }, TimeProvider.System, NullLogger.Instance);

    private TransportRig Rig(RewritingOptions rewriting) =>
        new(new() { Hostname = "mail.example.org", OwnEndPoints = [new(IPAddress.Parse("192.0.2.1"), 25)], Rewriting = rewriting }, tables: Tables());
}
