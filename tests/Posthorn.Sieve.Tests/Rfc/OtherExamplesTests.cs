namespace Posthorn.Sieve.Tests.Rfc;

/// <summary>Examples of the RFCs that the files beside this one do not have: what each text says its script does, on messages that it describes.</summary>
public sealed class OtherExamplesTests
{
    [Theory]
    [InlineData("The project schedule is late.", "store project/schedule")]
    [InlineData("The project is late.", "implicit keep")]
    public void Rfc5173Section53(string text, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["body", "fileinto"];
        # Save messages mentioning the project schedule in the
        # project/schedule folder.
        if body :text :contains "project schedule" {
                fileinto "project/schedule";
        }
        """, $"Subject: x\n\n{text}\n", settings: Sieve.Settings with { MailboxSeparator = '/' }));

    private const string ForOwner = "From: ann@ourdivision.example.com\nTo: roadrunner@acme.example.com\nSubject: x\n";

    private static string ReplyTo(string script, string header)
    {
        SieveContext context = Sieve.Context with { Envelope = Sieve.Context.Envelope with { From = "someone@example.net" } };
        SieveAction.Vacation vacation = (SieveAction.Vacation)Sieve.Run(script, header + "\n", context).Actions[0];
        return SieveText.FromUtf8(vacation.Reply!.Octets.Span);
    }

    [Theory]
    [InlineData("Accept-Language: en, de\n", "I am away this week.")]
    [InlineData("Content-Language: en\n", "I am away this week.")]
    [InlineData("", "Estoy ausente esta semana.")]
    public void Rfc5230Section6Language(string header, string expected) => Assert.Contains(expected, ReplyTo("""
        require "vacation";
        if header :contains ["accept-language", "content-language"] "en"
        {
            vacation "I am away this week.";
        } else {
            vacation "Estoy ausente esta semana.";
        }
        """, ForOwner + header), StringComparison.Ordinal);

    [Theory]
    [InlineData("ourdivision.example.com", "Subject: Gone fishing\r\n", "Having lots of fun! Back in a day or two!")]
    [InlineData("example.net", "Subject: Je suis parti cette semaine\r\n", "Je lirai votre message quand je retourne.")]
    public void Rfc5230Section6Colleagues(string domain, string subject, string text)
    {
        string reply = ReplyTo("""
            require "vacation";
            if address :matches "from" "*@ourdivision.example.com"
            {
                vacation :subject "Gone fishing"
                         "Having lots of fun! Back in a day or two!";
            } else {
                vacation :subject "Je suis parti cette semaine"
                         "Je lirai votre message quand je retourne.";
            }
            """, ForOwner.Replace("ourdivision.example.com", domain, StringComparison.Ordinal));
        Assert.Contains(subject, reply, StringComparison.Ordinal);
        Assert.Contains(text, reply, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("boss@frobnitzm.example.edu", "store INBOX.From Boss [\\Flagged]")]
    [InlineData("x@example.edu", "implicit keep")]
    public void Rfc5232Section31(string from, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["fileinto", "imap4flags", "variables"];
        if header :contains "from" "boss@frobnitzm.example.edu" {
            setflag "flagvar" "\\Flagged";
            fileinto :flags "${flagvar}" "INBOX.From Boss";
        }
        """, $"From: {from}\n\n"));

    // All these lead to the same flags; their order says nothing.
    [Theory]
    [InlineData("""addflag "flagvar" "\\Deleted"; addflag "flagvar" "\\Answered";""")]
    [InlineData("""addflag "flagvar" ["\\Deleted", "\\Answered"];""")]
    [InlineData("""addflag "flagvar" "\\Deleted \\Answered";""")]
    [InlineData("""addflag "flagvar" "\\Answered \\Deleted";""")]
    public void Rfc5232Section32(string commands)
    {
        SieveAction.Keep keep = (SieveAction.Keep)Sieve.Run($$"""require ["imap4flags", "variables"]; {{commands}} keep :flags "${flagvar}";""").Actions[0];
        Assert.Equal(["\\Answered", "\\Deleted"], keep.Flags.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("imap@cac.washington.example.edu", "store INBOX.imap-list")]
    [InlineData("x@example.edu", "keep [$MDNRequired]")]
    public void Rfc5232Section33(string from, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["fileinto", "imap4flags", "variables"];
        if header :contains "Disposition-Notification-To"
           "mel@example.com" {
            addflag "flagvar" "$MDNRequired";
        }
        if header :contains "from" "imap@cac.washington.example.edu" {
            removeflag "flagvar" "$MDNRequired";
            fileinto :flags "${flagvar}" "INBOX.imap-list";
            stop;
        }
        keep :flags "${flagvar}";
        """, $"From: {from}\nDisposition-Notification-To: mel@example.com\n\n"));

    private const string Nested = """
        From: x@example.org
        Content-From: tim@example.com
        Content-Type: TYPE; boundary=b

        --b
        Content-Type: text/html
        Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==

        <p>x</p>
        --b--

        """;

    [Theory]
    [InlineData("header :mime :type \"Content-Type\" \"image\"", "INBOX.images", "image/png", true)]
    [InlineData("header :mime :type \"Content-Type\" \"image\"", "INBOX.images", "multipart/mixed", false)]
    [InlineData("header :mime :anychild :contenttype\n \"Content-Type\" \"text/html\"", "INBOX.html", "multipart/mixed", true)]
    [InlineData("header :mime :anychild :contenttype\n \"Content-Type\" \"text/html\"", "INBOX.html", "text/plain", false)]
    [InlineData("address :mime :is :all \"content-from\" \"tim@example.com\"", "INBOX.part-from-tim", "multipart/mixed", true)]
    [InlineData("exists :mime :anychild \"content-md5\"", "INBOX.md5", "multipart/mixed", true)]
    [InlineData("exists :mime :anychild \"content-md5\"", "INBOX.md5", "text/plain", false)]
    public void Rfc5703Section4(string test, string mailbox, string type, bool holds) =>
        Assert.Equal(holds ? $"store {mailbox}" : "implicit keep", Sieve.Actions($"require [\"mime\", \"fileinto\"];\nif {test} {{ fileinto \"{mailbox}\"; }}", Nested.Replace("TYPE", type, StringComparison.Ordinal)));

    [Theory]
    [InlineData("SUCCESS", "success")]
    [InlineData("SUCCESS,DELAY", "success")]
    [InlineData("FAILURE", "failure alone")]
    [InlineData("FAILURE,DELAY", "")]
    [InlineData("", "")]
    public void Rfc6009Section41(string notify, string expected)
    {
        SieveContext context = Sieve.Context with { Envelope = Sieve.Context.Envelope with { Notify = notify.Split(',', StringSplitOptions.RemoveEmptyEntries) } };
        Assert.Equal(expected, string.Join(", ", Sieve.Run("""
            require ["envelope", "envelope-dsn", "relational",
                     "comparator-i;ascii-numeric", "vnd.dovecot.debug"];
            # Check whether SUCCESS notifications were requested,
            # irrespective of any other requests that were made
            if envelope "notify" "SUCCESS"
            {
                debug_log "success";
            }
            # Check whether only FAILURE notifications were requested
            if allof ( envelope "notify" "FAILURE",
                       envelope :comparator "i;ascii-numeric"
                                :count "eq" "notify" "1"
                     )
            {
                debug_log "failure alone";
            }
            """, context: context).Notes.Select(n => n.Text)));
    }

    [Theory]
    [InlineData("user@example.com", "redirect elsewhere@example.com; redirect cellphone@example.com; implicit keep")]
    [InlineData("other@example.com", "implicit keep")]
    public void Rfc6009Sections62And72(string from, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["copy", "redirect-dsn", "redirect-deliverby"];
        # Make a private copy of messages from user@example.com
        if address "from" "user@example.com"
        {
            redirect :copy :notify "NEVER" "elsewhere@example.com";
        }
        # Send a copy to my cell phone, time out after 10 minutes
        if address "from" "user@example.com"
        {
            redirect :copy :bytimerelative 600 "cellphone@example.com";
        }
        """, $"From: {from}\n\n"));

    // A contact writes several times within half an hour: told once.
    [Fact]
    public void Rfc7352Section53()
    {
        const string Script = """
            require ["variables", "envelope", "enotify", "duplicate"];
            if envelope :matches "from" "*" { set "sender" "${1}"; }
            if header :matches "subject" "*" { set "subject" "${1}"; }
            if not duplicate :seconds 1800 :uniqueid "${sender}"
            {
              notify :message "[SIEVE] ${sender}: ${subject}"
                "xmpp:user@im.example.com";
            }
            """;
        SieveSettings settings = Sieve.Settings with { NotifySchemes = new HashSet<string> { "xmpp" } };
        SieveResult first = Sieve.Run(Script, settings: settings);
        Assert.StartsWith("notify xmpp:", Sieve.Actions(first), StringComparison.Ordinal);
        SieveSeenId id = Assert.Single(first.SeenIds);
        Assert.Equal(("coyote@desert.example.org", TimeSpan.FromMinutes(30)), (id.Id, id.Period));
        Assert.Equal("implicit keep", Sieve.Actions(Script, settings: settings, host: new() { Seen = ["|" + id.Id] }));
    }

    [Theory]
    [InlineData("notifier|7", "discard")]
    [InlineData("support|7", "implicit keep [\\seen]")]
    [InlineData("other|7", "implicit keep")]
    public void Rfc7352Section54(string seen, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["duplicate", "imap4flags"];
        if duplicate :header "X-Event-ID" :handle "notifier" {
          discard;
        }
        if allof (
          duplicate :header "X-Ticket-ID" :handle "support",
          address "to" "support@example.com",
          header :contains "subject" "fileserver")
        {
          setflag "\\seen";
        }
        """, "X-Event-ID: 7\nX-Ticket-ID: 7\nTo: support@example.com\nSubject: the fileserver\n\n", host: new() { Seen = [seen] }));

    [Fact]
    public void Rfc8579Section42()
    {
        SieveAction.FileInto file = (SieveAction.FileInto)Sieve.Run("""
            require "fileinto";
            require "special-use";
            fileinto :specialuse "\\Archive" "INBOX/Archive";
            """, settings: Sieve.Settings with { MailboxSeparator = '/' }).Actions[0];
        Assert.Equal(("INBOX/Archive", "\\Archive", false), (file.Target.Mailbox.Value, file.Target.SpecialUse, file.Target.Create));
    }
}
