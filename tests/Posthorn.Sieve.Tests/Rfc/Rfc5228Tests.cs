namespace Posthorn.Sieve.Tests.Rfc;

/// <summary>The examples of RFC 5228.</summary>
public sealed class Rfc5228Tests
{
    [Theory]
    [InlineData("if size :over 100k { # this is a comment\ndiscard;\n}")]
    [InlineData("if size :over 100K { /* this is a comment\n this is still a comment */ discard /* this is a comment\n */ ;\n}")]
    [InlineData("require [\"fileinto\"]; require \"envelope\";")]
    [InlineData("if size :under 1M { keep; } else { discard; }")]
    public void Section2And3Compile(string script) => Assert.True(Sieve.Compile(script).IsOk);

    [Theory]
    [InlineData("$${hex:40}", "$@")]
    [InlineData("${hex: 40 }", "@")]
    [InlineData("${HEX: 40}", "@")]
    [InlineData("${hex:40", "${hex:40")]
    [InlineData("${hex:400}", "${hex:400}")]
    [InlineData("${hex:4${hex:30}}", "${hex:40}")]
    [InlineData("${unicode:40}", "@")]
    [InlineData("${ unicode:40}", "${ unicode:40}")]
    [InlineData("${UNICODE:40}", "@")]
    [InlineData("${UnICoDE:0000040}", "@")]
    [InlineData("${Unicode:40}", "@")]
    [InlineData("${Unicode:Cool}", "${Unicode:Cool}")]
    [InlineData("${hex:c3 a9}", "é")]
    public void Section2424Decodes(string text, string expected) =>
        Assert.Equal(expected, Checking.StringScanner.Decode(text, out string? error) + error);

    [Theory]
    [InlineData("${unicode:200000}")]
    [InlineData("${Unicode:DF01}")]
    public void Section2424RefusesWhatIsNoCharacter(string text) =>
        Assert.Single(Sieve.Compile($"require \"encoded-character\"; redirect \"{text}@a.b\";").Errors, e => e.Message.Contains("Unicode"));

    [Fact]
    public void Section2424DiscardsMessageB()
    {
        const string Script = "require \"encoded-character\";\nif header :contains \"Subject\" \"$${hex:24 24}\" {\n discard;\n}";
        Assert.Equal("discard", Sieve.Actions(Script, Sieve.MessageB));
        Assert.Equal("implicit keep", Sieve.Actions(Script));
    }

    [Theory]
    [InlineData("anyof (not exists [\"From\", \"Date\"], header :contains \"from\" \"fool@example.com\")", false)]
    [InlineData("header :contains [\"To\", \"Cc\"] [\"me@example.com\", \"me00@landru.example.com\"]", false)]
    [InlineData("header :contains :comparator \"i;octet\" \"Subject\" \"MAKE MONEY FAST\"", false)]
    [InlineData("header :contains :comparator \"i;octet\" \"Subject\" \"present\"", true)]
    [InlineData("header :contains :comparator \"i;octet\" \"Subject\" \"PRESENT\"", false)]
    [InlineData("header :contains \"Subject\" \"PRESENT\"", true)]
    [InlineData("address :is :all \"from\" \"tim@example.com\"", false)]
    [InlineData("address :is :all \"from\" \"COYOTE@desert.example.org\"", true)]
    [InlineData("address :is :localpart \"from\" \"coyote\"", true)]
    [InlineData("address :is :domain \"from\" \"desert.example.org\"", true)]
    [InlineData("allof (false, false)", false)]
    [InlineData("allof (false, true)", false)]
    [InlineData("allof (true, true)", true)]
    [InlineData("anyof (false, false)", false)]
    [InlineData("anyof (false, true)", true)]
    [InlineData("anyof (true, true)", true)]
    [InlineData("not exists [\"From\",\"Date\"]", false)]
    [InlineData("not exists [\"From\",\"X-None\"]", true)]
    [InlineData("header \"From:\" \"coyote@desert.example.org\"", false)]
    [InlineData("not header :matches \"Cc\" \"?*\"", true)]
    [InlineData("size :over 10K", false)]
    [InlineData("size :under 10K", true)]
    public void TestsOfMessageA(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("", test));

    [Theory]
    [InlineData("header :is [\"X-Caffeine\"] [\"\"]", false)]
    [InlineData("header :contains [\"X-Caffeine\"] [\"\"]", true)]
    [InlineData("header :contains [\"X-None\"] [\"\"]", false)]
    public void Section57Caffeine(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("", test, "X-Caffeine: C8H10N4O2\n\n\n"));

    [Fact]
    public void SizeIsNeitherOverNorUnderItself()
    {
        string message = "Subject: x\n\n" + new string('y', 100) + "\n";
        int size = message.ReplaceLineEndings("\r\n").Length;
        Assert.False(Sieve.Holds("", $"size :over {size}", message));
        Assert.False(Sieve.Holds("", $"size :under {size}", message));
        Assert.True(Sieve.Holds("", $"size :over {size - 1}", message));
    }

    [Theory]
    [InlineData(Sieve.MessageA, "discard")]
    [InlineData(Sieve.MessageB, "discard")]
    [InlineData("Subject: other\n\n", "store INBOX")]
    public void Section31First(string message, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require "fileinto";
        if header :contains "from" "coyote" {
           discard;
        } elsif header :contains ["subject"] ["$$$"] {
           discard;
        } else {
           fileinto "INBOX";
        }
        """, message));

    [Theory]
    [InlineData(Sieve.MessageA, "redirect acm@example.com")]
    [InlineData(Sieve.MessageB, "redirect postmaster@example.com")]
    [InlineData("Subject: other\n\n", "redirect field@example.com")]
    public void Section31Second(string message, string expected) => Assert.Equal(expected, Sieve.Actions("""
        if header :contains ["From"] ["coyote"] {
           redirect "acm@example.com";
        } elsif header :contains "Subject" "$$$" {
           redirect "postmaster@example.com";
        } else {
           redirect "field@example.com";
        }
        """, message));

    [Theory]
    [InlineData("require \"fileinto\"; if header :contains [\"from\"] \"coyote\" { fileinto \"INBOX.harassment\"; }", "store INBOX.harassment")]
    [InlineData("redirect \"bart@example.com\";", "redirect bart@example.com")]
    [InlineData("if size :under 1M { keep; } else { discard; }", "keep")]
    [InlineData("if not size :under 1M { discard; }", "implicit keep")]
    [InlineData("if header :contains [\"from\"] [\"idiot@example.com\"] { discard; }", "implicit keep")]
    [InlineData("if size :over 500K { discard; }", "implicit keep")]
    [InlineData("require \"envelope\"; if envelope :all :is \"from\" \"tim@example.com\" { discard; }", "implicit keep")]
    [InlineData("require \"envelope\"; if envelope :all :is \"from\" \"coyote@desert.example.org\" { discard; }", "discard")]
    [InlineData("stop; discard;", "implicit keep")]
    [InlineData("discard; keep;", "discard; keep")]
    [InlineData("keep; keep;", "keep")]
    [InlineData("require \"fileinto\"; fileinto \"a\"; fileinto \"a\"; fileinto \"b\";", "store a; store b")]
    public void Section4Actions(string script, string expected) => Assert.Equal(expected, Sieve.Actions(script));

    private const string Extended = """
        #
        # Example Sieve Filter
        # Declare any optional features or extension used by the script
        #
        require ["fileinto"];

        #
        # Handle messages from known mailing lists
        # Move messages from IETF filter discussion list to filter mailbox
        #
        if header :is "Sender" "owner-ietf-mta-filters@imc.org"
                {
                fileinto "filter";  # move to "filter" mailbox
                }
        #
        # Keep all messages to or from people in my company
        #
        elsif address :DOMAIN :is ["From", "To"] "example.com"
                {
                keep;               # keep in "In" mailbox
                }

        #
        # Try and catch unsolicited email.  If a message is not to me,
        # or it contains a subject known to be spam, file it away.
        #
        elsif anyof (NOT address :all :contains
                       ["To", "Cc", "Bcc"] "me@example.com",
                     header :matches "subject"
                       ["*make*money*fast*", "*university*dipl*mas*"])
                {
                fileinto "spam";   # move to "spam" mailbox
                }
        else
                {
                # Move all other (non-company) mail to "personal"
                # mailbox.
                fileinto "personal";
                }
        """;

    [Theory]
    [InlineData("Sender: owner-ietf-mta-filters@imc.org\n\n", "store filter")]
    [InlineData("From: x@example.com\n\n", "keep")]
    [InlineData("From: x@a.org\nTo: y@b.org\n\n", "store spam")]
    [InlineData("From: x@a.org\nTo: me@example.com.org\n\n", "store personal")]
    [InlineData("From: x@a.org\nTo: me@example.com.org\nSubject: How to MAKE a lot of Money very Fast!\n\n", "store spam")]
    public void Section9(string message, string expected) => Assert.Equal(expected, Sieve.Actions(Extended, message));

    [Theory]
    [InlineData("if header :is :contains \"a\" \"b\" { keep; }")]
    [InlineData("if header :is :is \"a\" \"b\" { keep; }")]
    [InlineData("if size :over :under 1 { keep; }")]
    [InlineData("if size 1 { keep; }")]
    [InlineData("elsif true { keep; }")]
    [InlineData("keep; require \"fileinto\";")]
    [InlineData("fileinto \"x\";")]
    [InlineData("require \"no-such\";")]
    [InlineData("redirect \"not an address\";")]
    [InlineData("redirect \"a@b.c, d@e.f\";")]
    [InlineData("if header \"a\" :is \"b\" { keep; }")]
    [InlineData("if header :comparator \"i;nope\" \"a\" \"b\" { keep; }")]
    [InlineData("if header :comparator \"i;ascii-numeric\" \"a\" \"b\" { keep; }")]
    [InlineData("require \"comparator-i;ascii-numeric\"; if header :contains :comparator \"i;ascii-numeric\" \"a\" \"b\" { keep; }")]
    [InlineData("require \"envelope\"; if envelope \"nonsense\" \"x\" { keep; }")]
    [InlineData("if address \"subject\" \"x\" { keep; }")]
    [InlineData("keep")]
    [InlineData("keep \"x\";")]
    [InlineData("if true keep;")]
    [InlineData("if anyof true { keep; }")]
    [InlineData("if not (true) { keep; }")]
    [InlineData("if (true) { keep; }")]
    [InlineData("stop { keep; }")]
    [InlineData("true;")]
    [InlineData("if keep { stop; }")]
    [InlineData("redirect [\"a@b.c\"];")]
    [InlineData("if header [] \"x\" { keep; }")]
    [InlineData("if size :over \"1\" { keep; }")]
    [InlineData("kepe;")]
    public void OneMistakeIsOneError(string script) => Assert.Single(Sieve.Compile(script).Errors);

    [Fact]
    public void AllMistakesAreTold()
    {
        SieveCompilation compiled = Sieve.Compile("""
            require ["fileinto", "nope"];
            if header :conatins "Subject" "x" {
                fileinto;
            }
            if size :over {
                keep;
            }
            discrad;
            redirect "me";
            """);
        Assert.Equal(["1:22", "2:11", "3:5", "5:4", "8:1", "9:10"], compiled.Errors.Select(e => e.At.ToString()));
        Assert.Contains(compiled.Errors, e => e.Advice == "did you mean ':contains'?");
        Assert.Contains(compiled.Errors, e => e.Advice == "did you mean 'discard'?");
    }

    [Theory]
    [InlineData("stop; keep;", "never reached")]
    [InlineData("if true { stop; } else { stop; } keep;", "never reached")]
    [InlineData("require \"fileinto\"; keep;", "not used")]
    [InlineData("redirect \"roadrunner@acme.example.com\";", "own owner")]
    [InlineData("require \"fileinto\"; fileinto \"Nowhere\";", "no mailbox")]
    [InlineData("require \"date\"; if date \"date\" \"yaer\" \"1\" { keep; }", "no part \"yaer\"")]
    [InlineData("require \"vacation\"; vacation :addresses \"nope\" \"x\";", "ignored")]
    [InlineData("if header \"Subject:\" \"x\" { keep; }", "no header is named")]
    [InlineData("if header \"Subject\" \"*x*\" { keep; }", "letter by letter")]
    [InlineData("require \"relational\"; if header :count \"ge\" \"To\" \"10\" { keep; }", "as words")]
    public void LegalButLikelyWrongIsAWarning(string script, string part)
    {
        SieveCompilation compiled = Sieve.Compile(script, check: new() { MailboxExists = m => m.IsInbox, OwnerAddresses = [Sieve.Context.Owner!.Value] });
        Assert.True(compiled.IsOk, string.Join("\n", compiled.Diagnostics));
        Assert.Contains(compiled.Warnings, w => w.Message.Contains(part));
    }

    [Fact]
    public void NullSenderMatchesTheEmptyString()
    {
        SieveContext context = Sieve.Context with { Envelope = new() { From = "", To = "a@b.c" } };
        foreach (string part in (string[])[":all", ":localpart", ":domain"]) Assert.True(Sieve.Holds("\"envelope\"", $"envelope {part} \"from\" \"\"", context: context));
    }

    [Fact]
    public void RedirectOfANullSenderKeepsIt()
    {
        SieveResult result = Sieve.Run("redirect \"a@b.c\";", context: Sieve.Context with { Envelope = new() { From = "", To = "x@y.z" } },
            settings: Sieve.Settings with { RedirectSender = new(SieveSenderPolicy.Recipient) });
        Assert.Equal("", Assert.IsType<SieveAction.Redirect>(Assert.Single(result.Actions)).Sender);
    }

    [Fact]
    public void HeadersAreUnfoldedDecodedAndTrimmed()
    {
        const string Message = "Subject:   =?utf-8?q?Caf=C3=A9?=\n of the\n\tworld  \n\n";
        Assert.True(Sieve.Holds("", "header :is \"subject\" \"Café of the world\"", Message));
    }

    [Theory]
    [InlineData("x <a@b.c>, bad@@address", ":domain", "b.c", true)]
    [InlineData("bad@@address", ":localpart", "bad", false)]
    [InlineData("bad address here", ":all", "bad address here", true)]
    [InlineData("bad address here, ok@x.org", ":all", "bad address here", false)]
    [InlineData("bad address here, ok@x.org", ":all", "ok@x.org", true)]
    [InlineData("word", ":localpart", "word", false)]
    [InlineData("word", ":all", "word", true)]
    [InlineData("<>", ":all", "", false)]
    [InlineData("friends: a@b.c, d@e.f;", ":all", "d@e.f", true)]
    [InlineData("\"a@b.c\" <d@e.f>", ":all", "a@b.c", false)]
    public void AddressesOfAHeader(string to, string part, string key, bool expected) =>
        Assert.Equal(expected, Sieve.Holds("", $"address {part} \"to\" \"{key}\"", $"To: {to}\n\n"));

    [Fact]
    public void FifteenLevelsAndMoreAreTaken()
    {
        string blocks = string.Concat(Enumerable.Repeat("if true { ", 32)) + "discard;" + string.Concat(Enumerable.Repeat("}", 32));
        Assert.Equal("discard", Sieve.Actions(blocks));
        string tests = $"if {string.Concat(Enumerable.Repeat("anyof (", 30))}true{new string(')', 30)} {{ discard; }}";
        Assert.Equal("discard", Sieve.Actions(tests));
    }
}
