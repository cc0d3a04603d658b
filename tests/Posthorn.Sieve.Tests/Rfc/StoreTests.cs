namespace Posthorn.Sieve.Tests.Rfc;

/// <summary>copy (RFC 3894), mailbox and metadata (RFC 5490), special-use (RFC 8579), mailboxid (RFC 9042), duplicate (RFC 7352), environment (RFC 5183), imapsieve (RFC 6785), ihave (RFC 5463), DSN and DELIVERBY (RFC 6009).</summary>
public sealed class StoreTests
{
    [Theory]
    [InlineData("fileinto \"unfiltered\"; keep; if header \"Subject\" \"MAKE MONEY FAST!!!\" { discard; }", "store unfiltered; keep; discard")]
    [InlineData("fileinto :copy \"incoming\"; if header \"Subject\" \"MAKE MONEY FAST!!!\" { discard; }", "store incoming; discard")]
    [InlineData("fileinto :copy \"incoming\";", "store incoming; implicit keep")]
    [InlineData("redirect :copy \"a@b.c\";", "redirect a@b.c; implicit keep")]
    public void Rfc3894(string script, string expected) => Assert.Equal(expected, Sieve.Actions("require [\"copy\", \"fileinto\"];" + script, "Subject: MAKE MONEY FAST!!!\n\n"));

    [Theory]
    [InlineData("Partners", "store Partners")]
    [InlineData("Other", "reject This message was not accepted by the Mailstore")]
    public void Rfc5490Section31(string mailbox, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["fileinto", "reject", "mailbox"];
        if mailboxexists "Partners" {
           fileinto "Partners";
        } else {
           reject "This message was not accepted by the Mailstore";
        }
        """, host: new() { Mailboxes = [mailbox] }));

    [Theory]
    [InlineData("on", "vacation; implicit keep")]
    [InlineData("off", "implicit keep")]
    public void Rfc5490Section33(string value, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["mboxmetadata", "vacation"];
        if metadata :is "INBOX"
           "/private/vendor/vendor.isode/auto-replies" "on" {
            vacation text:
        I'm away on holidays till March 2009.
        Expect a delay.
        .
        ;
        }
        """, host: new() { Metadata = new() { ["INBOX/private/vendor/vendor.isode/auto-replies"] = value } }));

    [Fact]
    public void Rfc5490Section41() => Assert.Equal("notify mailto:me@x.org; implicit keep", Sieve.Actions("""
        require ["enotify", "servermetadata", "variables", "envelope"];
        if servermetadata :matches
           "/private/vendor/vendor.isode/notification-uri" "*" {
            set "notif_uri" "${0}";
        }
        if not string :is "${notif_uri}" "none" {
            # :matches is used to get the MAIL FROM address
            if envelope :all :matches "from" "*" {
                set "env_from" " [really: ${1}]";
            }
            # :matches is used to get the value of the Subject header
            if header :matches "Subject" "*" {
                set "subject" "${1}";
            }
            # :matches is used to get the address from the From header
            if address :matches :all "from" "*" {
                set "from_addr" "${1}";
            }
            notify :message "${from_addr}${env_from}: ${subject}"
                   "${notif_uri}";
        }
        """, host: new() { Metadata = new() { ["/private/vendor/vendor.isode/notification-uri"] = "mailto:me@x.org" } }));

    [Theory]
    [InlineData("metadataexists \"INBOX\" [\"/private/a\", \"/private/b\"]", true)]
    [InlineData("metadataexists \"INBOX\" [\"/private/a\", \"/private/c\"]", false)]
    [InlineData("servermetadataexists \"/shared/x\"", true)]
    [InlineData("servermetadata :contains \"/shared/X\" \"al\"", true)]
    [InlineData("metadata :is \"INBOX\" \"/private/c\" \"\"", false)]
    public void MetadataTests(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("\"mboxmetadata\", \"servermetadata\"", test,
        host: new() { Metadata = new() { ["INBOX/private/a"] = "1", ["INBOX/private/b"] = "2", ["/shared/x"] = "value" } }));

    [Fact]
    public void Rfc8579Section6()
    {
        SieveAction.FileInto file = Assert.IsType<SieveAction.FileInto>(Sieve.Run("require \"fileinto\";\nrequire \"special-use\";\nfileinto :specialuse \"\\\\Junk\" \"Spam\";").Actions[0]);
        Assert.Equal(("\\Junk", false, "Spam"), (file.Target.SpecialUse, file.Target.Create, file.Target.Mailbox.Value));
        file = Assert.IsType<SieveAction.FileInto>(Sieve.Run("require \"fileinto\";\nrequire \"special-use\";\nrequire \"mailbox\";\nfileinto :specialuse \"\\\\Junk\" :create \"Spam\";").Actions[0]);
        Assert.True(file.Target.Create);
        SieveContext context = Sieve.Context with { IsImapEvent = true, Environment = new Dictionary<string, string> { ["imap.mailbox"] = "Spam", ["imap.cause"] = "COPY" } };
        Assert.Equal("redirect spam-report@example.org", Sieve.Actions("""
            require "imapsieve";
            require "special-use";
            require "environment";
            require "variables";
            # The original has :contains here, which sets no variables.
            if environment :matches "imap.mailbox" "*" {
                set "mailbox" "${1}";
            }
            if allof(
                environment "imap.cause" "COPY",
                specialuse_exists "${mailbox}" "\\Junk") {
                redirect "spam-report@example.org";
            }
            """, context: context, host: new() { SpecialUses = new() { ["Spam"] = "\\Junk" } }));
        Assert.Equal("store INBOX/Archive".Replace('/', '.'), Sieve.Actions("require \"fileinto\"; require \"special-use\"; fileinto :specialuse \"\\\\Archive\" \"INBOX.Archive\";"));
    }

    [Theory]
    [InlineData("specialuse_exists \"\\\\Junk\"", true)]
    [InlineData("specialuse_exists [\"\\\\Junk\", \"\\\\Sent\"]", false)]
    [InlineData("specialuse_exists \"Spam\" \"\\\\junk\"", true)]
    [InlineData("specialuse_exists \"INBOX\" \"\\\\Junk\"", false)]
    public void SpecialUseExists(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("\"special-use\"", test, host: new() { SpecialUses = new() { ["Spam"] = "\\Junk" } }));

    [Fact]
    public void Rfc9042()
    {
        SieveAction.FileInto file = Assert.IsType<SieveAction.FileInto>(Sieve.Run("""
            require "fileinto";
            require "mailboxid";
            if header :contains ["from"] "coyote" {
                fileinto :mailboxid "F6352ae03-b7f5-463c-896f-d8b48ee3"
                         "INBOX.harassment";
            }
            """).Actions[0]);
        Assert.Equal("F6352ae03-b7f5-463c-896f-d8b48ee3", file.Target.MailboxId);
        file = Assert.IsType<SieveAction.FileInto>(Sieve.Run("require \"fileinto\"; require \"mailboxid\"; require \"mailbox\"; fileinto :mailboxid \"Fnosuch\" :create \"INBOX.no-such-folder\";").Actions[0]);
        Assert.Equal(("Fnosuch", true), (file.Target.MailboxId, file.Target.Create));
        SieveAction.Notify notify = Assert.IsType<SieveAction.Notify>(Sieve.Run("""
            require ["enotify", "fcc", "mailboxid"];
            notify :fcc "INBOX.Sent"
                :mailboxid "F6352ae03-b7f5-463c-896f-d8b48ee3"
                :message "You got mail!"
                "mailto:ken@example.com";
            """).Actions[0]);
        Assert.Equal("F6352ae03-b7f5-463c-896f-d8b48ee3", notify.Copy!.MailboxId);
        const string Last = """
            require "fileinto";
            require "mailboxid";
            if header :contains ["from"] "coyote" {
             if mailboxidexists "F6352ae03-b7f5-463c-896f-d8b48ee3" {
                 fileinto :mailboxid "F6352ae03-b7f5-463c-896f-d8b48ee3"
                                     "INBOX.name.will.not.be.used";
             } else {
                 fileinto "INBOX.harassment";
             }
            }
            """;
        Assert.Equal("store INBOX.harassment", Sieve.Actions(Last));
        Assert.Equal("store INBOX.name.will.not.be.used", Sieve.Actions(Last, host: new() { Ids = new() { ["F6352ae03-b7f5-463c-896f-d8b48ee3"] = "x" } }));
        Assert.Single(Sieve.Compile("require [\"fileinto\", \"mailboxid\", \"special-use\"]; fileinto :mailboxid \"a\" :specialuse \"\\\\Junk\" \"x\";").Errors);
    }

    private const string WithId = "Message-ID: <1@x>\nSubject: ALERT: disk full\nX-Event-ID: e1\nX-Ticket-ID: t1\nTo: support@example.com\n\n";

    [Theory]
    [InlineData("require \"duplicate\"; if duplicate { discard; }", "|<1@x>", "discard")]
    [InlineData("require \"duplicate\"; if duplicate { discard; }", "|<2@x>", "implicit keep")]
    [InlineData("require \"duplicate\"; if duplicate :header \"message-id\" { discard; }", "|<1@x>", "discard")]
    [InlineData("require [\"duplicate\", \"variables\"]; if header :matches \"message-id\" \"*\" { if duplicate :uniqueid \"${0}\" { discard; } }", "|<1@x>", "discard")]
    [InlineData("require [\"duplicate\", \"fileinto\", \"mailbox\"]; if duplicate { fileinto :create \"Trash.Duplicate\"; }", "|<1@x>", "store Trash.Duplicate")]
    [InlineData("require [\"duplicate\", \"variables\", \"imap4flags\", \"fileinto\"]; if header :matches \"subject\" \"ALERT: *\" { if duplicate :seconds 60 :uniqueid \"${1}\" { setflag \"\\\\seen\"; } fileinto \"Alerts\"; }", "|disk full", "store Alerts [\\seen]")]
    [InlineData("require \"duplicate\"; if duplicate :seconds 0 { discard; }", "|<1@x>", "implicit keep")]
    [InlineData("require \"duplicate\"; if duplicate :header \"X-None\" { discard; }", "|<1@x>", "implicit keep")]
    public void Rfc7352(string script, string seen, string expected) => Assert.Equal(expected, Sieve.Actions(script, WithId, host: new() { Seen = [seen] }));

    [Fact]
    public void Rfc7352Example3()
    {
        const string Script = """
            require ["variables", "envelope", "enotify", "duplicate"];
            if envelope :matches "from" "*" { set "sender" "${1}"; }
            if header :matches "subject" "*" { set "subject" "${1}"; }
            # account for 'Re:' prefix
            if string :comparator "i;ascii-casemap"
              :matches "${subject}" "Re:*"
            {
              set "subject" "${1}";
            }
            if not duplicate :seconds 1800
              :uniqueid "${sender} ${subject}"
            {
              notify :message "[SIEVE] ${sender}: ${subject}"
                "mailto:user@im.example.com";
            }
            """;
        SieveResult result = Sieve.Run(Script);
        Assert.Equal("notify mailto:user@im.example.com; implicit keep", Sieve.Actions(result));
        SieveSeenId id = Assert.Single(result.SeenIds);
        Assert.Equal(("", "coyote@desert.example.org I have a present for you", TimeSpan.FromSeconds(1800), false), (id.Handle, id.Id, id.Period, id.FromLast));
        Assert.Equal("implicit keep", Sieve.Actions(Script, host: new() { Seen = ["|" + id.Id] }));
    }

    [Fact]
    public void Rfc7352Example4()
    {
        const string Script = """
            require ["duplicate", "imap4flags"];
            if duplicate :header "X-Event-ID" :handle "notifier" {
              discard;
            }
            if allof (
              duplicate :header "X-Ticket-ID" :handle "support",
              address "to" "support@example.com",
              header :contains "subject" "disk")
            {
              setflag "\\seen";
            }
            """;
        Assert.Equal("discard", Sieve.Actions(Script, WithId, host: new() { Seen = ["notifier|e1"] }));
        Assert.Equal("implicit keep [\\seen]", Sieve.Actions(Script, WithId, host: new() { Seen = ["support|t1"] }));
        Assert.Equal(2, Sieve.Run(Script, WithId).SeenIds.Count);
    }

    [Fact]
    public void AFailedRunRemembersNothing() => Assert.Empty(Sieve.Run("require [\"duplicate\", \"ihave\"]; if duplicate { stop; } error \"x\";", WithId).SeenIds);

    [Theory]
    [InlineData("environment :contains \"item\" \"\"", false)]
    [InlineData("environment :contains \"remote-host\" \"\"", true)]
    [InlineData("environment \"domain\" \"acme.example.com\"", true)]
    [InlineData("environment \"host\" \"mail.acme.example.com\"", true)]
    [InlineData("environment \"location\" \"MDA\"", true)]
    [InlineData("environment \"phase\" \"during\"", true)]
    [InlineData("environment :contains \"name\" \"Posthorn\"", true)]
    [InlineData("environment :matches \"version\" \"?*\"", true)]
    [InlineData("environment \"imap.user\" \"\"", true)]
    public void Rfc5183(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("\"environment\"", test));

    [Theory]
    [InlineData("APPEND", "ActionItems", "redirect actionitems@example.com; implicit keep")]
    [InlineData("FLAG", "ActionItems", "implicit keep")]
    public void Rfc6785Example1(string cause, string mailbox, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["copy", "environment", "imapsieve"];
        if anyof (environment :is "imap.cause" "APPEND",
                  environment :is "imap.cause" "COPY")  {
            if environment :is "imap.mailbox" "ActionItems" {
                redirect :copy "actionitems@example.com";
            }
        }
        """, context: Sieve.Context with { IsImapEvent = true, Environment = new Dictionary<string, string> { ["imap.cause"] = cause, ["imap.mailbox"] = mailbox } }));

    [Fact]
    public void Rfc6785Example2()
    {
        SieveContext context = Sieve.Context with
        {
            IsImapEvent = true,
            InitialFlags = ["\\Flagged", "\\Seen"],
            Environment = new Dictionary<string, string> { ["imap.mailbox"] = "Work", ["imap.changedflags"] = "\\Flagged" },
        };
        Assert.StartsWith("notify xmpp:", Sieve.Actions("""
            require ["enotify", "imap4flags", "variables",
                     "environment", "imapsieve"];
            if environment :matches "imap.mailbox" "*" {
                set "mailbox" "${1}";
            }
            if allof (hasflag "\\Flagged",
                      environment :contains "imap.changedflags" "\\Flagged") {
              notify :message "Important message in ${mailbox}"
                  "xmpp:tim@example.com?message;subject=SIEVE";
            }
            """, context: context, settings: Sieve.Settings with { NotifySchemes = new HashSet<string> { "xmpp" } }));
        Assert.True(Sieve.Holds("\"environment\"", "allof (environment \"location\" \"MS\", environment \"phase\" \"post\")", context: context));
        Assert.Contains("envelope", Sieve.Actions("require \"envelope\"; if envelope \"from\" \"x\" { keep; }", context: context));
        Assert.Single(Sieve.Compile("require [\"imapsieve\", \"reject\"]; reject \"x\";").Errors);
    }

    [Theory]
    [InlineData("if ihave \"fileinto\" { fileinto \"x\"; }", "store x")]
    [InlineData("if ihave \"no-such-thing\" { no_such_command \"x\" :tag; } else { discard; }", "discard")]
    [InlineData("if ihave [\"fileinto\", \"no-such-thing\"] { fileinto \"x\"; }", "implicit keep")]
    [InlineData("if ihave \"variables\" { discard; }", "implicit keep")]
    [InlineData("if not ihave \"fileinto\" { stop; } fileinto \"y\";", "store y")]
    [InlineData("if ihave \"regex\" { if header :regex \"subject\" \"pres.nt\" { discard; } }", "discard")]
    public void Rfc5463(string script, string expected) => Assert.Equal(expected, Sieve.Actions("require \"ihave\"; " + script));

    [Fact]
    public void AMisspeltNameIsAnErrorWhereNothingUnknownIsAskedFor() => Assert.Single(Sieve.Compile("require \"ihave\"; if ihave \"fileinto\" { filinto \"x\"; }").Errors);

    [Theory]
    [InlineData("fileinto \"x\";", "fileinto")]
    [InlineData("if header :regex \"subject\" \"x\" { keep; }", "regex")]
    [InlineData("if ihave \"unheard-of\" { } nonsense;", "nonsense")]
    [InlineData("error \"my own words\";", "my own words")]
    public void Rfc5463RunTimeErrors(string script, string part)
    {
        SieveResult result = Sieve.Run("require \"ihave\"; " + script);
        Assert.Contains(part, result.Error!.Message);
        Assert.IsType<SieveAction.Keep>(Assert.Single(result.Actions));
    }

    private static SieveContext Dsn => Sieve.Context with
    {
        Envelope = Sieve.Context.Envelope with { Notify = ["SUCCESS", "FAILURE"], OriginalRecipient = "rfc822;joe@example.com", Return = "HDRS", EnvelopeId = "abc", DeliverBySeconds = -5, DeliverByReturn = true, DeliverByTrace = true },
    };

    [Theory]
    [InlineData("envelope \"notify\" \"SUCCESS\"", true)]
    [InlineData("envelope \"notify\" \"DELAY\"", false)]
    [InlineData("allof ( envelope \"notify\" \"FAILURE\", envelope :comparator \"i;ascii-numeric\" :count \"eq\" \"notify\" \"1\")", false)]
    [InlineData("envelope :matches \"orcpt\" \"rfc822;*@example.com\"", true)]
    [InlineData("envelope \"ret\" \"hdrs\"", true)]
    [InlineData("envelope \"envid\" \"abc\"", true)]
    [InlineData("anyof (envelope :contains \"bytimerelative\" \"-\", envelope :value \"eq\" :comparator \"i;ascii-numeric\" \"bytimerelative\" \"0\")", true)]
    [InlineData("envelope \"bymode\" \"return\"", true)]
    [InlineData("envelope \"bytrace\" \"trace\"", true)]
    [InlineData("envelope :zone \"+0100\" \"bytimeabsolute\" \"2024-03-06T11:20:25+01:00\"", true)]
    public void Rfc6009Envelope(string test, bool expected) =>
        Assert.Equal(expected, Sieve.Holds("\"envelope\", \"envelope-dsn\", \"envelope-deliverby\", \"relational\", \"comparator-i;ascii-numeric\"", test, context: Dsn));

    [Fact]
    public void Rfc6009Section51()
    {
        Assert.Equal("implicit keep", Sieve.Actions("""
            require ["envelope", "envelope-deliverby", "relational", "date",
                     "variables"];
            if currentdate :matches "iso8601" "*" {
                set "cdate" "${0}";
                if envelope :value "ge" "bytimeabsolute" "${cdate}" {
                    discard;
                }
            }
            """, context: Dsn));
        Assert.Equal("store missed-10", Sieve.Actions("""
            require ["envelope", "envelope-deliverby", "relational", "date",
                     "variables", "fileinto"];
            # The original compares the other way round, and lacks brackets.
            if envelope :matches :zone "+0000" "bytimeabsolute" "*T*:*:*" {
                set "bdate" "${0}";
                set "bhour" "${2}";
                if currentdate :zone "+0000" :value "gt" "iso8601" "${bdate}" {
                    fileinto "missed-${bhour}";
                }
            }
            """, context: Dsn));
    }

    [Fact]
    public void Rfc6009Redirect()
    {
        SieveAction.Redirect redirect = Assert.IsType<SieveAction.Redirect>(Sieve.Run("require [\"copy\", \"redirect-dsn\"]; redirect :copy :notify \"NEVER\" \"elsewhere@example.com\";").Actions[0]);
        Assert.Equal(("NEVER", "roadrunner@acme.example.com"), (redirect.Options.Notify, redirect.Sender));
        redirect = Assert.IsType<SieveAction.Redirect>(Sieve.Run("require [\"copy\", \"redirect-deliverby\"]; redirect :copy :bytimerelative 600 \"cellphone@example.com\";").Actions[0]);
        Assert.Equal(new DateTimeOffset(2024, 3, 6, 10, 30, 30, TimeSpan.Zero), redirect.Options.DeliverBy);
        redirect = Assert.IsType<SieveAction.Redirect>(Sieve.Run("""
            require ["copy", "redirect-deliverby", "date", "variables",
                     "relational", "comparator-i;ascii-numeric"];
            # Send a copy to my cell phone to be delivered before 10PM
            if currentdate :value "lt"
                           :comparator "i;ascii-numeric" "hour" "22"
            {
                if currentdate :matches "date" "*" {set "date" "${0}";}
                if currentdate :matches "zone" "*" {set "zone" "${0}";}
                redirect :copy :bytimeabsolute "${date}T20:00:00${zone}"
                         :bymode "return" "cellphone@example.com";
            }
            """).Actions[0]);
        Assert.Equal(new DateTimeOffset(2024, 3, 6, 20, 0, 0, TimeSpan.Zero), redirect.Options.DeliverBy);
        Assert.Single(Sieve.Compile("require \"redirect-deliverby\"; redirect :bymode \"notify\" \"a@b.c\";").Errors);
        Assert.Single(Sieve.Compile("require \"redirect-dsn\"; redirect :notify \"NEVER,DELAY\" \"a@b.c\";").Errors);
    }
}
