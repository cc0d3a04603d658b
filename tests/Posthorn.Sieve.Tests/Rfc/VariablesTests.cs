namespace Posthorn.Sieve.Tests.Rfc;

/// <summary>The examples of RFC 5229, RFC 5231, RFC 5232, RFC 5233 and of the regex draft.</summary>
public sealed class VariablesTests
{
    private static string Value(string script, string expression, string message = Sieve.MessageA, string requires = "\"variables\"") =>
        Assert.Single(Sieve.Run($"require [{requires}, \"vnd.dovecot.debug\"];\n{script}\ndebug_log \"{expression}\";", message).Notes).Text;

    [Theory]
    [InlineData("&%${}!", "&%${}!")]
    [InlineData("${doh!}", "${doh!}")]
    [InlineData("${full}", "")]
    [InlineData("${company}", "ACME")]
    [InlineData("${BAD${Company}", "${BADACME")]
    [InlineData("${President, ${Company} Inc.}", "${President, ACME Inc.}")]
    public void Section3(string text, string expected) => Assert.Equal(expected, Value("set \"company\" \"ACME\";", text));

    [Theory]
    [InlineData("${fo\\o}", "bar")]
    [InlineData("${fo\\\\o}", "${fo\\o}")]
    [InlineData("\\${foo}", "bar")]
    [InlineData("\\\\${foo}", "\\bar")]
    public void Section31(string text, string expected) => Assert.Equal(expected, Value("set \"foo\" \"bar\";", text));

    [Fact]
    public void Section31Dollar() => Assert.Equal("regarding ${beep}", Value("set \"dollar\" \"$\"; set \"text\" \"regarding ${dollar}{beep}\";", "${text}"));

    [Fact]
    public void Section31EncodedCharacter() => Assert.True(Sieve.Actions("""
        require ["encoded-character", "variables"];
        set "name" "Ethelbert";
        if header :contains "Subject" "dear${hex:20 24 7b 4e}ame}" { discard; }
        """, "Subject: dear Ethelbert!\n\n") == "discard");

    [Theory]
    [InlineData("List-ID: Some list <sieve@ietf.org>\n\n", "store INBOX.lists.sieve")]
    [InlineData("Subject: [acme-users] [fwd] version 1.0 is out\n\n", "store INBOX.lists.acme-users")]
    [InlineData("To: coyote@ACME.Example.COM\n\n", "store INBOX.business.ACME.Example")]
    [InlineData("To: x@y.org\n\n", "implicit keep")]
    public void Section32(string message, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["fileinto", "variables"];
        if header :matches "List-ID" "*<*@*" {
            fileinto "INBOX.lists.${2}"; stop;
        }
        # Imagine the header
        # Subject: [acme-users] [fwd] version 1.0 is out
        if header :matches "Subject" "[*] *" {
            # ${1} will hold "acme-users",
            # ${2} will hold "[fwd] version 1.0 is out"
            fileinto "INBOX.lists.${1}"; stop;
        }
        # Imagine the header
        # To: coyote@ACME.Example.COM
        if address :matches ["To", "Cc"] ["coyote@**.com",
                "wile@**.com"] {
            # ${0} is the matching address
            # ${1} is always the empty string
            # ${2} is part of the domain name ("ACME.Example")
            fileinto "INBOX.business.${2}"; stop;
        } else {
            # Control wouldn't reach this block if any match was
            # successful, so no match variables are set at this
            # point.
        }
        if anyof (true, address :domain :matches "To" "*.com") {
            # The second test is never evaluated, so there are
            # still no match variables set.
            stop;
        }
        """, message));

    [Fact]
    public void Section4Set() => Assert.Equal("Dear Mr Coyote,\r\nI'm out, please leave a message after the meep.\r\n", Value("""
        set "honorific"  "Mr";
        set "first_name" "Wile";
        set "last_name"  "Coyote";
        set "vacation" text:
        Dear ${HONORIFIC} ${last_name},
        I'm out, please leave a message after the meep.
        .
        ;
        """, "${vacation}"));

    [Theory]
    [InlineData("", "juMBlEd lETteRS")]
    [InlineData(":length", "15")]
    [InlineData(":lower", "jumbled letters")]
    [InlineData(":upperfirst", "JuMBlEd lETteRS")]
    [InlineData(":upperfirst :lower", "Jumbled letters")]
    [InlineData(":upper", "JUMBLED LETTERS")]
    [InlineData(":lowerfirst :upper", "jUMBLED LETTERS")]
    public void Section41(string modifiers, string expected) => Assert.Equal(expected, Value($"set \"a\" \"juMBlEd lETteRS\"; set {modifiers} \"b\" \"${{a}}\";", "${b}"));

    [Fact]
    public void Section41QuoteWildcard() => Assert.Equal("Rock\\*", Value("set :quotewildcard \"b\" \"Rock*\";", "${b}"));

    [Fact]
    public void Section5() => Assert.Equal("discard", Sieve.Actions("require \"variables\"; set \"state\" \"${state} pending\"; if string :matches \" ${state} \" \"* pending *\" { discard; }"));

    [Theory]
    [InlineData("\"\"", "0")]
    [InlineData("\"x\"", "1")]
    [InlineData("[\"x\", \"\", \"y\"]", "2")]
    public void Section5Count(string source, string count) =>
        Assert.True(Sieve.Holds("\"variables\", \"relational\", \"comparator-i;ascii-numeric\"", $"string :count \"eq\" :comparator \"i;ascii-numeric\" {source} \"{count}\""));

    [Theory]
    [InlineData("set :upper :lower \"a\" \"b\";")]
    [InlineData("set \"1\" \"b\";")]
    [InlineData("set \"a.b\" \"b\";")]
    [InlineData("set \"${a}\" \"b\";")]
    [InlineData("set :nope \"a\" \"b\";")]
    [InlineData("redirect \"${nospace.x}@a.b\";")]
    [InlineData("redirect \"${1000}@a.b\";")]
    public void WrongNamesAreErrors(string script) => Assert.Single(Sieve.Compile("require \"variables\";" + script).Errors);

    [Fact]
    public void LongValuesAreCut() =>
        Assert.Equal("4096", Value("set \"a\" \"0123456789\"; set \"b\" \"" + string.Concat(Enumerable.Repeat("${a}", 500)) + "\"; set :length \"c\" \"${b}\";", "${c}"));

    private const string Rfc5231Message = "received: a\nreceived: b\nsubject: example\nto: foo@example.com, baz@example.com\ncc: qux@example.com\n\n";

    [Theory]
    [InlineData("address :count \"ge\" :comparator \"i;ascii-numeric\" [\"to\", \"cc\"] [\"3\"]", true)]
    [InlineData("anyof ( address :count \"ge\" :comparator \"i;ascii-numeric\" [\"to\"] [\"3\"], address :count \"ge\" :comparator \"i;ascii-numeric\" [\"cc\"] [\"3\"] )", false)]
    [InlineData("header :count \"ge\" :comparator \"i;ascii-numeric\" [\"received\"] [\"3\"]", false)]
    [InlineData("header :count \"ge\" :comparator \"i;ascii-numeric\" [\"received\", \"subject\"] [\"3\"]", true)]
    [InlineData("header :count \"ge\" :comparator \"i;ascii-numeric\" [\"to\", \"cc\"] [\"3\"]", false)]
    [InlineData("header :value \"gt\" :comparator \"i;ascii-numeric\" \"subject\" \"1\"", true)] // no digits are infinity
    [InlineData("header :value \"lt\" \"subject\" \"f\"", true)]
    public void Rfc5231Section6(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("\"relational\", \"comparator-i;ascii-numeric\"", test, Rfc5231Message));

    [Theory]
    [InlineData("x-priority: 1\nfrom: a@b.c\nto: me@foo.example.com\n\n", "store Priority; store Only me")]
    [InlineData("x-priority: 3\nfrom: a@b.c\nto: a@b,b@b,c@b,d@b,e@b,f@b\n\n", "store SPAM")]
    [InlineData("from: zoe@b.c\nto: x@y.z\n\n", "store From N-Z")]
    [InlineData("from: anna@b.c\nto: x@y.z\n\n", "store From A-M")]
    public void Rfc5231Section7(string message, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["relational", "comparator-i;ascii-numeric", "fileinto"];
        if header :value "lt" :comparator "i;ascii-numeric"
                  ["x-priority"] ["3"]
        {
           fileinto "Priority";
        }
        elsif address :count "gt" :comparator "i;ascii-numeric"
                   ["to"] ["5"]
        {
           # everything with more than 5 recipients in the "to" field
           # is considered SPAM
           fileinto "SPAM";
        }
        elsif address :value "gt" :all :comparator "i;ascii-casemap"
                   ["from"] ["M"]
        {
           fileinto "From N-Z";
        } else {
           fileinto "From A-M";
        }
        if allof ( address :count "eq" :comparator "i;ascii-numeric"
                           ["to", "cc"] ["1"] ,
                   address :all :comparator "i;ascii-casemap"
                           ["to", "cc"] ["me@foo.example.com"] )
        {
           fileinto "Only me";
        }
        """, message));

    [Theory]
    [InlineData("if size :over 10 { setflag \"\\\\Deleted\"; }", "implicit keep [\\Deleted]")]
    [InlineData("if header :contains \"from\" \"coyote\" { setflag \"flagvar\" \"\\\\Flagged\"; fileinto :flags \"${flagvar}\" \"INBOX.From Boss\"; }", "store INBOX.From Boss [\\Flagged]")]
    [InlineData("addflag \"flagvar\" \"\\\\Deleted\"; addflag \"flagvar\" \"\\\\Answered\"; keep :flags \"${flagvar}\";", "keep [\\Deleted \\Answered]")]
    [InlineData("addflag \"flagvar\" [\"\\\\Deleted\", \"\\\\Answered\"]; keep :flags \"${flagvar}\";", "keep [\\Deleted \\Answered]")]
    [InlineData("addflag \"flagvar\" \"\\\\Deleted \\\\Answered\"; keep :flags \"${flagvar}\";", "keep [\\Deleted \\Answered]")]
    [InlineData("addflag \"f\" \"$MDNRequired\"; removeflag \"f\" \"$mdnrequired\"; keep :flags \"${f}\";", "keep")]
    [InlineData("setflag \"A \\\\Recent  B a\"; keep;", "keep [A B]")]
    [InlineData("keep; setflag \"X\"; keep;", "keep [X]")]
    public void Rfc5232Section3(string script, string expected) => Assert.Equal(expected, Sieve.Actions("require [\"imap4flags\", \"variables\", \"fileinto\"];" + script));

    [Fact]
    public void TheOlderNameOfFlags() => Assert.Equal("keep [\\Flagged X]", Sieve.Actions("require \"imapflags\"; mark; addflag \"X\"; keep; unmark;"));

    [Theory]
    [InlineData("hasflag :is \"b A\"", true)]
    [InlineData("hasflag [\"b\",\"A\"]", true)]
    [InlineData("hasflag :contains \"MyVar\" \"Junk\"", true)]
    [InlineData("hasflag :contains \"MyVar\" \"forward\"", true)]
    [InlineData("hasflag :contains \"MyVar\" [\"label\", \"forward\"]", true)]
    [InlineData("hasflag :contains \"MyVar\" [\"junk\", \"forward\"]", true)]
    [InlineData("hasflag :contains \"MyVar\" \"junk forward\"", true)]
    [InlineData("hasflag :contains \"MyVar\" \"forward junk\"", true)]
    [InlineData("hasflag :contains \"MyVar\" \"label\"", false)]
    [InlineData("hasflag :contains \"MyVar\" [\"label1\", \"label2\"]", false)]
    [InlineData("hasflag :count \"ge\" :comparator \"i;ascii-numeric\" \"MyFlags\" \"2\"", true)]
    public void Rfc5232Section4(string test, bool expected) => Assert.Equal(expected ? "discard" : "implicit keep [A B]", Sieve.Actions($$"""
        require ["imap4flags", "variables", "relational", "comparator-i;ascii-numeric"];
        setflag "A B";
        set "MyVar" "NonJunk Junk gnus-forward $Forwarded NotJunk JunkRecorded $Junk $NotJunk";
        setflag "MyFlags" "A B";
        if {{test}} { discard; }
        """));

    [Theory]
    [InlineData("From: boss@company.example.com\n\n", "store Big messages [Big \\Flagged]; keep [Big \\Flagged]")]
    [InlineData("Sender: owner-ietf-mta-filters@example.org\n\n", "store Big messages [Big]; keep [\\Flagged $Work]")]
    [InlineData("From: grandma@example.net\n\n", "store Big messages [Big]; store GrandMa [Big \\Answered $MDNSent]; store spam [Big \\Answered $MDNSent]")]
    public void Rfc5232Section9(string message, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["fileinto", "imap4flags", "variables"];
        # The original asks for 1M, says "anyof" without parentheses, and "remove" for "removeflag".
        if size :over 1
                {
                addflag "MyFlags" "Big";
                if header :is "From" "boss@company.example.com"
                           {
                           addflag "MyFlags" "\\Flagged";
                           }
                fileinto :flags "${MyFlags}" "Big messages";
                }
        if header :is "From" "grandma@example.net"
                {
                addflag "MyFlags" ["\\Answered", "$MDNSent"];
                fileinto :flags "${MyFlags}" "GrandMa";
                }
        if header :is "Sender" "owner-ietf-mta-filters@example.org"
                {
                set "MyFlags" "\\Flagged $Work";
                keep :flags "${MyFlags}";
                }
        elsif anyof (address :domain :is ["From", "To"] "company.example.com")
                {
                keep :flags "${MyFlags}"; # keep in "Inbox" folder
                }
        elsif anyof (not address :all :contains
                       ["To", "Cc"] "me@company.example.com",
                     header :matches "subject"
                       ["*make*money*fast*", "*university*dipl*mas*"])
                {
                removeflag "MyFlags" "\\Flagged";
                fileinto :flags "${MyFlags}" "spam";
                }
        else
                {
                fileinto :flags "${MyFlags}" "personal";
                }
        """, message));

    [Theory]
    [InlineData("postmaster@example.com", "store inbox.postmaster")]
    [InlineData("ken+mta-filters@example.com", "store inbox.ietf-mta-filters")]
    [InlineData("ken+foo@example.com", "redirect ken@example.net")]
    [InlineData("ken@example.com", "implicit keep")]
    public void Rfc5233(string to, string expected) => Assert.Equal(expected.Replace("inbox", "INBOX"), Sieve.Actions("""
        require ["envelope", "subaddress", "fileinto"];
        if envelope :user "to" "postmaster" {
            fileinto "inbox.postmaster";
            stop;
        }
        # File mailing list messages (subscribed as "ken+mta-filters").
        if envelope :detail "to" "mta-filters" {
            fileinto "inbox.ietf-mta-filters";
        }
        # Redirect all mail sent to "ken+foo".
        if envelope :detail "to" "foo" {
            redirect "ken@example.net";
        }
        """, context: Sieve.Context with { Envelope = new() { From = "x@y.z", To = to } }));

    [Theory]
    [InlineData("ken+sieve@a.b", ":detail", "sieve", true)]
    [InlineData("ken+@a.b", ":detail", "", true)]
    [InlineData("ken@a.b", ":detail", "", false)]
    [InlineData("ken@a.b", ":user", "ken", true)]
    [InlineData("ken+a+b@a.b", ":detail", "a+b", true)]
    public void Rfc5233Parts(string to, string part, string key, bool expected) =>
        Assert.Equal(expected, Sieve.Holds("\"subaddress\"", $"address {part} \"to\" \"{key}\"", $"To: {to}\n\n"));

    [Theory]
    [InlineData("To: me+x@company.com\nSubject: Hello\n\n", "implicit keep")]
    [InlineData("To: me@company.com\nSubject: HELLO YOU\n\n", "discard")]
    [InlineData("To: you@company.com\nSubject: Hello\n\n", "discard")]
    public void RegexSection3(string message, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require "regex";
        # Try to catch unsolicited email.
        if anyof (
          # if a message is not to me (with optional +detail),
          not address :regex ["to", "cc", "bcc"]
            "me(\\+.*)?@company\\.com",
          # or the subject is all uppercase (no lowercase)
          header :regex :comparator "i;octet" "subject"
            "^[^[:lower:]]+$" ) {
          discard;     # junk it
        }
        """, message));

    [Fact]
    public void RegexSetsMatchVariables() => Assert.Equal("store lists.dev", Sieve.Actions("""
        require ["regex", "variables", "fileinto"];
        if header :regex "List-Id" "<([^.@]+)[.@]([a-z.]+)>" { fileinto "lists.${1}"; }
        """, "List-Id: Developers <dev.example.org>\n\n"));

    [Fact]
    public void ABadExpressionIsAnErrorBeforeAndMatchesNothingWhileRunning()
    {
        Assert.Single(Sieve.Compile("require \"regex\"; if header :regex \"subject\" \"(x\" { discard; }").Errors);
        SieveResult result = Sieve.Run("require [\"regex\", \"variables\"]; set \"r\" \"(x\"; if header :regex \"subject\" \"${r}\" { discard; }");
        Assert.Equal("implicit keep", Sieve.Actions(result));
        Assert.StartsWith("the regular expression", Assert.Single(result.Notes).Text);
    }
}
