using System.Text;

namespace Posthorn.Sieve.Tests.Rfc;

/// <summary>date and index (RFC 5260), editheader (RFC 5293), body (RFC 5173), MIME parts (RFC 5703), spamtest (RFC 5235), extlists (RFC 6134), include (RFC 6609).</summary>
public sealed class HeaderAndPartTests
{
    private static string Octets(SieveResult result) => Encoding.UTF8.GetString(result.Actions.Select(a => a switch
    {
        SieveAction.Keep keep => keep.Image,
        SieveAction.FileInto file => file.Image,
        SieveAction.Redirect redirect => redirect.Image,
        _ => throw new InvalidOperationException(result.Error?.Message),
    }).First().ToBytes().Span);

    [Theory]
    [InlineData("date :originalzone \"date\" \"hour\" \"09\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"hour\" \"17\"", true)]
    [InlineData("date :zone \"+0100\" \"date\" \"iso8601\" \"1997-04-01T18:06:31+01:00\"", true)]
    [InlineData("date :originalzone \"date\" \"zone\" \"-0800\"", true)]
    [InlineData("date \"date\" \"zone\" \"+0000\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"year\" \"1997\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"month\" \"04\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"day\" \"01\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"date\" \"1997-04-01\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"time\" \"17:06:31\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"minute\" \"06\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"second\" \"31\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"julian\" \"50539\"", true)]
    [InlineData("date :zone \"+0000\" \"date\" \"weekday\" \"2\"", true)]
    [InlineData("date :originalzone \"date\" \"std11\" \"Tue, 1 Apr 1997 09:06:31 -0800\"", true)]
    [InlineData("date \"x-none\" \"year\" \"1997\"", false)]
    [InlineData("date \"subject\" \"year\" \"1997\"", false)]
    [InlineData("currentdate \"date\" \"2024-03-06\"", true)]
    [InlineData("currentdate :zone \"-0500\" \"hour\" \"05\"", true)]
    [InlineData("currentdate \"iso8601\" \"2024-03-06T10:20:30Z\"", true)]
    public void Rfc5260Parts(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("\"date\"", test));

    [Theory]
    [InlineData("require [\"date\", \"relational\", \"fileinto\"]; if allof(header :is \"from\" \"boss@example.com\", date :value \"ge\" :originalzone \"date\" \"hour\" \"09\", date :value \"lt\" :originalzone \"date\" \"hour\" \"17\") { fileinto \"urgent\"; }", "store urgent")]
    [InlineData("require [\"date\", \"relational\", \"fileinto\"]; if anyof(date :is \"received\" \"weekday\" \"0\", date :is \"received\" \"weekday\" \"6\") { fileinto \"weekend\"; }", "store weekend")]
    [InlineData("require [\"date\", \"relational\"]; if anyof(currentdate :is \"weekday\" \"0\", currentdate :is \"weekday\" \"6\", currentdate :value \"lt\" \"hour\" \"09\", currentdate :value \"ge\" \"hour\" \"17\") { redirect \"pager@example.com\"; }", "implicit keep")]
    [InlineData("require [\"date\", \"relational\", \"vacation\"]; if allof(currentdate :value \"ge\" \"date\" \"2007-06-30\", currentdate :value \"le\" \"date\" \"2007-07-07\") { vacation :days 7  \"I'm away during the first week in July.\"; }", "implicit keep")]
    [InlineData("require [\"date\", \"variables\", \"fileinto\"]; if currentdate :matches \"month\" \"*\" { set \"month\" \"${1}\"; } if currentdate :matches \"year\"  \"*\" { set \"year\"  \"${1}\"; } fileinto \"${month}-${year}\";", "store 03-2024")]
    [InlineData("require [\"date\", \"relational\", \"index\"]; if date :value \"gt\" :index 2 :zone \"-0500\" \"received\" \"iso8601\" \"2007-02-26T09:00:00-05:00\" { redirect \"aftercutoff@example.org\"; }", "redirect aftercutoff@example.org")]
    public void Rfc5260Examples(string script, string expected) => Assert.Equal(expected, Sieve.Actions(script,
        "Received: a; Sun, 3 Mar 2024 12:00:00 +0000\nReceived: b; Sat, 2 Mar 2024 12:00:00 +0000\nFrom: boss@example.com\nDate: Fri, 1 Mar 2024 10:00:00 -0500\n\n"));

    [Theory]
    [InlineData("header :index 1 \"x\" \"a\"", true)]
    [InlineData("header :index 2 \"x\" \"a\"", false)]
    [InlineData("header :index 1 :last \"x\" \"c\"", true)]
    [InlineData("header :index 4 \"x\" \"a\"", false)]
    [InlineData("header :index 4 [\"x\", \"y\"] \"d\"", true)]
    [InlineData("address :index 2 \"to\" \"b@b.b\"", true)]
    public void Rfc5260Index(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("\"index\"", test, "X: a\nY: d\nX: b\nX: c\nTo: a@a.a\nTo: b@b.b\n\n"));

    [Theory]
    [InlineData("if header :last \"x\" \"y\" { keep; }")]
    [InlineData("if header :index 0 \"x\" \"y\" { keep; }")]
    [InlineData("if date :zone \"+0000\" :originalzone \"date\" \"year\" \"1\" { keep; }")]
    [InlineData("if currentdate :zone \"MEZ\" \"year\" \"1\" { keep; }")]
    public void Rfc5260Errors(string script) => Assert.Single(Sieve.Compile("require [\"date\", \"index\"];" + script).Errors);

    [Fact]
    public void Rfc5260Std11WithEditheader() => Assert.StartsWith("Processing-date: Wed, 6 Mar 2024 10:20:30 +0000\r\nDate: ",
        Octets(Sieve.Run("require [\"variables\", \"date\", \"editheader\"]; if currentdate :matches \"std11\" \"*\" {addheader \"Processing-date\" \"${0}\";}")));

    [Fact]
    public void Rfc5293Section4()
    {
        const string Script = """
            require "editheader";
            /* Don't redirect if we already redirected */
            if not header :contains "X-Sieve-Filtered"
                    ["<kim@job.example.com>", "<kim@home.example.com>"]
            {
                    addheader "X-Sieve-Filtered" "<kim@job.example.com>";
                    redirect "kim@home.example.com";
            }
            """;
        SieveResult result = Sieve.Run(Script);
        Assert.Equal("redirect kim@home.example.com", Sieve.Actions(result));
        Assert.StartsWith("X-Sieve-Filtered: <kim@job.example.com>\r\nDate: ", Octets(result));
        Assert.Equal("implicit keep", Sieve.Actions(Script, "X-Sieve-Filtered: <kim@home.example.com>\n\n"));
    }

    [Theory]
    [InlineData("deleteheader :index 1 :contains \"Delivered-To\" \"bob@example.com\";", "Delivered-To: bob@example.com\nDelivered-To: x\n\n", "Delivered-To: x\n\n")]
    [InlineData("deleteheader :index 1 :contains \"Delivered-To\" \"bob@example.com\";", "Delivered-To: x\nDelivered-To: bob@example.com\n\n", "Delivered-To: x\nDelivered-To: bob@example.com\n\n")]
    [InlineData("addheader \"X-Hello\" \"World\"; deleteheader :index 1 \"X-Hello\";", "Subject: x\n\nbody\n", "Subject: x\n\nbody\n")]
    [InlineData("deleteheader :index 1 \"X-Hello\"; deleteheader :index 2 \"X-Hello\";", "X-Hello: 1\nX-Hello: 2\nX-Hello: 3\n\n", "X-Hello: 2\n\n")]
    [InlineData("deleteheader \"X\"; addheader :last \"Y\" \"z\";", "X: 1\nS: t\nX: 2\n\nbody\n", "S: t\nY: z\n\nbody\n")]
    [InlineData("deleteheader \"Received\"; deleteheader \"auto-submitted\";", "Received: 1\nAuto-Submitted: no\n\n", "Received: 1\nAuto-Submitted: no\n\n")]
    [InlineData("deleteheader :index 1 :last \"X\";", "X: 1\nX: 2\n\n", "X: 1\n\n")]
    [InlineData("deleteheader :matches \"X\" \"a*\";", "X: abc\nX: b\n\n", "X: b\n\n")]
    [InlineData("addheader \"Subject\" \"Grüße\";", "\nbody", "Subject: =?UTF-8?B?R3LDvMOfZQ==?=\n\nbody")]
    public void Rfc5293Edits(string script, string before, string after) =>
        Assert.Equal(after.ReplaceLineEndings("\r\n"), Octets(Sieve.Run("require \"editheader\";" + script, before)));

    [Fact]
    public void Rfc5293Section7()
    {
        Assert.Equal("store international", Sieve.Actions("require [\"editheader\", \"fileinto\"]; addheader \"X-Hello\" \"World\"; if header :contains \"X-Hello\" \"World\" { fileinto \"international\"; }"));
        Assert.Equal("keep", Sieve.Actions("require \"editheader\"; keep; addheader \"X-Flavor\" \"vanilla\"; keep;"));
        SieveResult failed = Sieve.Run("require [\"editheader\", \"ihave\"]; addheader \"X\" \"y\"; error \"z\";");
        Assert.True(Assert.IsType<SieveAction.Keep>(Assert.Single(failed.Actions)).Image.IsOriginal);
    }

    [Theory]
    [InlineData("addheader \"X Y\" \"z\";")]
    [InlineData("addheader \"X:\" \"z\";")]
    [InlineData("deleteheader :last \"X\";")]
    public void Rfc5293Errors(string script) => Assert.Single(Sieve.Compile("require \"editheader\";" + script).Errors);

    private const string Nested = """
        From: Whomever
        To: Someone
        Date: Whenever
        Subject: whatever
        Content-Type: multipart/mixed; boundary=outer

        This is a multi-part message in MIME format.

        --outer
        Content-Type: multipart/alternative; boundary=inner

        This is a nested multi-part message in MIME format.

        --inner
        Content-Type: text/plain; charset="us-ascii"

        Hello

        --inner
        Content-Type: text/html; charset="us-ascii"

        <html><body>Hello</body></html>

        --inner--

        This is the end of the inner MIME multipart.

        --outer
        Content-Type: message/rfc822

        From: Someone Else
        Subject: hello request

        Please say Hello

        --outer--

        This is the end of the outer MIME multipart.
        """;

    [Theory]
    [InlineData("body :content \"multipart\" :contains \"MIME\"", true)]
    [InlineData("body :content \"multipart\" :contains \"Hello\"", false)]
    [InlineData("body :content \"text/plain\" :contains \"Hello\"", true)]
    [InlineData("body :content \"text/plain\" :contains \"html\"", false)]
    [InlineData("body :content \"text/html\" :contains \"Hello\"", true)]
    [InlineData("body :content \"text\" :contains \"<html>\"", true)]
    [InlineData("body :content \"message/rfc822\" :contains \"Hello\"", true)]
    [InlineData("body :content \"message/rfc822\" :contains \"Please\"", false)]
    [InlineData("body :content \"multipart\" :contains \"end of the outer\"", true)]
    [InlineData("body :content \"/text\" :contains \"\"", false)]
    [InlineData("body :content \"text/\" :contains \"\"", false)]
    [InlineData("body :content \"a/b/c\" :contains \"\"", false)]
    [InlineData("body :content \"audio/mp3\" :contains \"\"", false)]
    [InlineData("body :content \"\" :contains \"Please\"", true)]
    [InlineData("body :raw :contains \"boundary=inner\"", true)]
    [InlineData("body :raw :contains \"boundary=outer\"", false)]
    [InlineData("body :text :contains \"project schedule\"", false)]
    [InlineData("body :contains \"please say\"", true)]
    public void Rfc5173(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("\"body\"", test, Nested));

    [Fact]
    public void Rfc5173Examples()
    {
        Assert.Equal("discard", Sieve.Actions("require \"body\"; if body :raw :contains \"MAKE MONEY FAST\" { discard; }", "Subject: x\n\nmake money fast\n"));
        const string Script = "require [\"body\", \"fileinto\"]; if body :content \"text\" :contains [\"missile\", \"coordinates\"] { fileinto \"secrets\"; } if body :content \"audio/mp3\" :contains \"\" { fileinto \"jukebox\"; }";
        Assert.Equal("store jukebox", Sieve.Actions(Script, "Content-Type: audio/mp3\n\nx\n"));
        Assert.Equal("store secrets", Sieve.Actions(Script, "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nbWlzc2lsZQ==\n"));
        Assert.False(Sieve.Holds("\"body\"", "body :contains \"\"", "Subject: no empty line\n"));
        Assert.True(Sieve.Holds("\"body\"", "body :text :contains \"grüße\"", "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ngr=FC=DFe\n"));
        Assert.Equal("store project.schedule", Sieve.Actions("require [\"body\", \"fileinto\"]; if body :text :contains \"project schedule\" { fileinto \"project.schedule\"; }", "X: y\n\nThe project schedule is\n"));
    }

    private const string WithParts = """
        From: boss@example.org
        Subject: Report
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary="b"

        --b
        Content-Type: text/plain; charset=utf-8

        The text of the boss
        --b
        Content-Type: application/pdf
        Content-Disposition: attachment; filename="important.pdf"
        Content-MD5: x

        PDF
        --b
        Content-Type: application/exe; name=a.com
        Content-Disposition: attachment; filename*=utf-8''run%2Ecom

        EXE
        --b--
        """;

    [Theory]
    [InlineData("header :mime :type \"Content-Type\" \"multipart\"", true)]
    [InlineData("header :mime :type \"Content-Type\" \"image\"", false)]
    [InlineData("header :mime :anychild :contenttype \"Content-Type\" \"text/plain\"", true)]
    [InlineData("header :mime :anychild :contenttype \"Content-Type\" \"text/html\"", false)]
    [InlineData("header :mime :anychild :param \"filename\" :matches \"Content-Disposition\" \"*.com\"", true)]
    [InlineData("header :mime :anychild :subtype \"Content-Type\" \"pdf\"", true)]
    [InlineData("header :mime :anychild :type \"Content-Disposition\" \"attachment\"", true)]
    [InlineData("header :mime :subtype \"Content-Disposition\" \"\"", false)]
    [InlineData("exists :mime :anychild \"content-md5\"", true)]
    [InlineData("exists :mime \"content-md5\"", false)]
    [InlineData("address :mime :is :all \"content-from\" \"tim@example.com\"", false)]
    public void Rfc5703Section4(string test, bool expected) => Assert.Equal(expected, Sieve.Holds("\"mime\"", test, WithParts));

    [Fact]
    public void Rfc5703Foreverypart() => Assert.Equal("store INBOX.important", Sieve.Actions("""
        require ["mime", "foreverypart", "fileinto"];
        foreverypart
        {
            # The original writes the size as a string.
            if allof (
              header :mime :param "filename" :contains
                 "Content-Disposition" "important",
              header :mime :subtype "Content-Type" "pdf",
              size :over 10)
            {
                fileinto "INBOX.important";
                break;
            }
        }
        """, WithParts));

    [Fact]
    public void Rfc5703Section91()
    {
        string replaced = Octets(Sieve.Run("""
            require [ "foreverypart", "mime", "replace" ];
            foreverypart
            {
              if anyof (
                     header :mime :contenttype :is
                       "Content-Type" "application/exe",
                     header :mime :param "filename"
                       :matches ["Content-Type", "Content-Disposition"] "*.com" )
              {
                replace "Executable attachment removed by user filter";
              }
            }
            """, WithParts));
        Assert.DoesNotContain("EXE", replaced);
        Assert.Contains("PDF\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nExecutable attachment removed by user filter\r\n--b--", replaced);
    }

    [Fact]
    public void Rfc5703Section92AndRfc6134Example5()
    {
        const string Enclose = """
              {
                enclose :subject "Warning" text:
            WARNING! The enclosed message contains executable attachments.
            .
            ;
                break;
              }
            }
            """;
        string one = "require [ \"foreverypart\", \"mime\", \"enclose\" ];\nforeverypart\n{\n  if header :mime :param \"filename\"\n     :matches [\"Content-Type\", \"Content-Disposition\"]\n       [\"*.com\", \"*.exe\", \"*.vbs\"]\n" + Enclose;
        string enclosed = Octets(Sieve.Run(one, WithParts));
        Assert.Contains("Subject: Warning\r\n", enclosed);
        Assert.Contains("Content-Type: message/rfc822\r\n\r\nFrom: boss@example.org\r\n", enclosed);
        string two = "require [ \"extlists\", \"foreverypart\", \"mime\", \"enclose\" ];\nforeverypart\n{\n  if header :mime :param \"filename\"\n     :list [\"Content-Type\", \"Content-Disposition\"]\n       \"tag:example.com,2011-04-10:BadFileNameExts\"\n" + Enclose;
        Assert.Contains("Subject: Warning\r\n", Octets(Sieve.Run(two, WithParts, host: new() { Lists = new() { ["tag:example.com,2011-04-10:BadFileNameExts"] = ["run.com"] } })));
    }

    [Fact]
    public void ARedirectedMessageIsNotEnclosed() => Assert.DoesNotContain("Warning",
        Octets(Sieve.Run("require \"enclose\"; enclose :subject \"Warning\" \"x\"; redirect \"a@b.c\";", WithParts)));

    [Fact]
    public void Rfc5703Section93() => Assert.Equal("The text o", Assert.Single(Sieve.Run("""
        require ["mime", "variables", "extracttext", "foreverypart", "vnd.dovecot.debug"];
        if header :contains "from" "boss@example.org"
        {
          # :matches is used to get the value of the Subject header
          if header :matches "Subject" "*"
          {
            set "subject" "${1}";
          }
          # extract the first 10 characters of the first text/* part
          foreverypart
          {
            if header :mime :type :is "Content-Type" "text"
            {
              extracttext :first 10 "msgcontent";
              break;
            }
          }
          # if it's not a 'for your information' message
          if not header :contains "subject" "FYI:"
          {
            debug_log "${msgcontent}";
          }
        }
        """, WithParts).Notes).Text);

    [Fact]
    public void ReplacingTheWholeMessageKeepsItsHeader()
    {
        string replaced = Octets(Sieve.Run("require \"replace\"; replace :subject \"New\" :from \"me@x.org\" \"Gone\";", WithParts));
        Assert.Equal("Subject: New\r\nOriginal-Subject: Report\r\nFrom: me@x.org\r\nOriginal-From: boss@example.org\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGone", replaced);
    }

    [Theory]
    [InlineData("break;")]
    [InlineData("foreverypart { break :name \"x\"; }")]
    [InlineData("foreverypart;")]
    [InlineData("replace :mime :subject \"x\" \"y\";")]
    [InlineData("extracttext \"x\";")]
    [InlineData("if header :anychild \"a\" \"b\" { keep; }")]
    [InlineData("if header :mime :type :subtype \"a\" \"b\" { keep; }")]
    public void Rfc5703Errors(string script) => Assert.Single(Sieve.Compile("require [\"mime\", \"foreverypart\", \"replace\", \"extracttext\", \"variables\"];" + script).Errors);

    [Fact]
    public void ALoopGoesDepthFirst() => Assert.Equal("mixed alternative plain html rfc822", string.Join(' ', Sieve.Run("""
        require ["foreverypart", "mime", "variables", "vnd.dovecot.debug"];
        foreverypart :name "all" {
            if header :mime :subtype :matches "Content-Type" "?*" { debug_log "${0}"; }
        }
        """, Nested).Notes.Select(n => n.Text)));

    private const string SpamScript = """
        require ["spamtestplus", "fileinto", "relational",
                 "comparator-i;ascii-numeric"];
        if spamtest :value "eq"
                    :comparator "i;ascii-numeric" "0"
        {
            fileinto "INBOX.unclassified";
        }
        elsif spamtest :percent :value "eq"
                       :comparator "i;ascii-numeric" "0"
        {
            fileinto "INBOX.not-spam";
        }
        elsif spamtest :percent :value "lt"
                       :comparator "i;ascii-numeric" "37"
        {
            fileinto "INBOX.spam-trap";
        }
        else
        {
            discard;
        }
        """;

    [Theory]
    [InlineData("Subject: x\n\n", "store INBOX.unclassified")]
    [InlineData("X-Spam-Score: 0\n\n", "store INBOX.not-spam")]
    [InlineData("X-Spam-Score: 1.5\n\n", "store INBOX.spam-trap")]
    [InlineData("X-Spam-Score: 4\n\n", "discard")]
    public void Rfc5235Section322(string message, string expected)
    {
        SieveSettings settings = Sieve.Settings with { SpamTest = new() { StatusHeader = "X-Spam-Score", MaxValue = 5 } };
        Assert.Equal(expected, Sieve.Actions(SpamScript, message, settings: settings));
        Assert.Equal(expected, Sieve.Actions(SpamScript.Replace("if spamtest :value \"eq\"\n            :comparator \"i;ascii-numeric\" \"0\"", "if spamtest :percent :count \"eq\"\n            :comparator \"i;ascii-numeric\" \"0\""), message, settings: settings));
    }

    [Theory]
    [InlineData("Subject: x\n\n", "store INBOX.unclassified")]
    [InlineData("X-Spam: yes (4)\n\n", "store INBOX.spam-trap")]
    [InlineData("X-Spam: no (0)\n\n", "implicit keep")]
    public void Rfc5235Section321(string message, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["spamtest", "fileinto", "relational", "comparator-i;ascii-numeric"];
        if spamtest :value "eq" :comparator "i;ascii-numeric" "0"
        {
            fileinto "INBOX.unclassified";
        }
        elsif spamtest :value "ge" :comparator "i;ascii-numeric" "3"
        {
            fileinto "INBOX.spam-trap";
        }
        """, message, settings: Sieve.Settings with { SpamTest = new() { StatusHeader = "X-Spam", StatusPattern = "\\(([0-9]+)\\)", MaxValue = 5 } }));

    [Theory]
    [InlineData("Subject: x\n\n", "store INBOX.unclassified")]
    [InlineData("X-Virus: maybe\n\n", "store INBOX.quarantine")]
    [InlineData("X-Virus: found\n\n", "discard")]
    public void Rfc5235Section33(string message, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["virustest", "fileinto", "relational", "comparator-i;ascii-numeric"];
        if virustest :value "eq" :comparator "i;ascii-numeric" "0"
        {
            fileinto "INBOX.unclassified";
        }
        if virustest :value "eq" :comparator "i;ascii-numeric" "4"
        {
            fileinto "INBOX.quarantine";
        }
        elsif virustest :value "eq" :comparator "i;ascii-numeric" "5"
        {
            discard;
        }
        """, message, settings: Sieve.Settings with { VirusTest = new() { StatusHeader = "X-Virus", Kind = SieveScoreKind.Text, TextValues = new Dictionary<int, string> { [4] = "maybe", [5] = "found" } } }));

    private static FakeHost Lists => new()
    {
        Lists = new()
        {
            ["urn:ietf:params:sieve:addrbook:default"] = ["coyote@desert.example.org"],
            ["tag:example.com,2010-05-28:mylist"] = ["coyote@desert.example.org", "b@x.org"],
            ["tag:example.com,2011-04-10:DisallowedIPs"] = ["192.0.2.1"],
            ["tag:example.com,2011-01-01:localHolidays"] = ["2024-03-06"],
        },
    };

    [Theory]
    [InlineData("5", "implicit keep")]
    [InlineData("9", "store spam")]
    public void Rfc6134Example1(string score, string expected)
    {
        SieveSettings settings = Sieve.Settings with { SpamTest = new() { StatusHeader = "X-Score", MaxValue = 10 } };
        Assert.Equal(expected, Sieve.Actions("""
            require ["envelope", "extlists", "fileinto", "spamtest",
                     "relational", "comparator-i;ascii-numeric"];
            if envelope :list "from" ":addrbook:default"
              { /* Known: allow high spam score */
                if spamtest :value "ge" :comparator "i;ascii-numeric" "8"
                  {
                    fileinto "spam";
                  }
              }
            elsif spamtest :value "ge" :comparator "i;ascii-numeric" "3"
              { /* Unknown: less tolerance in spam score */
                fileinto "spam";
              }
            """, $"X-Score: {score}\n\n", settings: settings, host: Lists));
        Assert.Equal(expected, Sieve.Actions("""
            require ["envelope", "extlists", "fileinto", "spamtest",
                "variables", "relational", "comparator-i;ascii-numeric"];
            if envelope :list "from" ":addrbook:default" {
              set "lim" "8";  /* Known: allow high spam score */
            } else {
              set "lim" "3";  /* Unknown: less tolerance in spam score */
            }
            if spamtest :value "ge" :comparator "i;ascii-numeric" "${lim}" {
              fileinto "spam";
            }
            """, $"X-Score: {score}\n\n", settings: settings, host: Lists));
    }

    [Fact]
    public void Rfc6134OtherExamples()
    {
        Assert.StartsWith("notify xmpp:", Sieve.Actions("require [\"extlists\", \"date\", \"enotify\"]; if currentdate :list \"date\"\n \"tag:example.com,2011-01-01:localHolidays\" {\n notify \"xmpp:romeo@im.example.com\";\n}",
            host: Lists, settings: Sieve.Settings with { NotifySchemes = new HashSet<string> { "xmpp" } }));
        Assert.Equal("redirect coyote@desert.example.org; redirect b@x.org", Sieve.Actions("""
            require ["extlists", "envelope", "subaddress"];
            # Submission from list members is sent to all members
            if allof (envelope :detail "to" "mylist",
                      header :list "from"
                             "tag:example.com,2010-05-28:mylist") {
                redirect :list "tag:example.com,2010-05-28:mylist";
            }
            """, context: Sieve.Context with { Envelope = new() { From = "x@y.z", To = "alexey+mylist@x.org" } }, host: Lists));
        Assert.Equal("reject Message not allowed from this IP address", Sieve.Actions("""
            require ["variables", "extlists", "index", "reject"];
            if header :index 1 :matches "received" "*(* [*.*.*.*])*" {
              set "ip" "${3}.${4}.${5}.${6}";
              if string :list "${ip}"
                  "tag:example.com,2011-04-10:DisallowedIPs" {
                reject "Message not allowed from this IP address";
              }
            }
            """, "Received: from x (x.org [192.0.2.1]) by y\n\n", host: Lists));
        Assert.True(Sieve.Holds("\"extlists\"", "valid_ext_list [\":addrbook:default\", \":AddrBook:%44%65%66ault\", \":ADDRBOOK:DEFAULT\"]", host: Lists));
        Assert.False(Sieve.Holds("\"extlists\"", "valid_ext_list \"not a uri\"", host: Lists));
        Assert.Contains("no list", Sieve.Actions("require \"extlists\"; if header :list \"from\" \":addrbook:other\" { keep; }", host: Lists));
        Assert.Single(Sieve.Compile("require \"extlists\"; if header :list :comparator \"i;octet\" \"from\" \":addrbook:default\" { keep; }").Errors);
    }

    private static FakeHost Scripts => new()
    {
        Scripts = new()
        {
            ["always_allow"] = "if address :is \"from\" \"boss@example.com\"\n{\n keep;\n}\nelsif address :is \"from\" \"ceo@example.com\"\n{\n keep;\n}",
            ["spam_tests"] = "require [\"reject\"];\nif header :contains \"Subject\" \"XXXX\"\n{\n reject \"Subject XXXX is unacceptable.\";\n}\nelsif address :is \"from\" \"money@example.com\"\n{\n reject \"Mail from this sender is unwelcome.\";\n}",
            ["mailing_lists"] = "require [\"fileinto\"];\nif header :is \"List-ID\" \"sieve.ietf.org\"\n{\n fileinto \"lists.sieve\";\n}\nelsif header :is \"List-ID\" \"ietf-imapext.imc.org\"\n{\n fileinto \"lists.imapext\";\n}",
            ["global/spam_tests"] = "require [\"reject\"];\nif anyof (header :contains \"Subject\" \"$$\",\n header :contains \"Subject\" \"Make money\")\n{\n reject \"No thank you.\";\n}",
            ["subject_tests"] = "require [\"include\", \"variables\"];\nglobal [\"test\", \"test_mailbox\"];\nif header :contains \"Subject\" \"${test}\"\n{\n set \"test_mailbox\" \"spam-${test}\";\n}",
            ["self"] = "require \"include\"; include \"self\";",
            ["once"] = "require \"include\"; include :once \"once\"; keep;",
            ["returns"] = "require \"include\"; return; discard;",
            ["stops"] = "stop;",
            ["broken"] = "nonsense;",
            ["part"] = "require [\"fileinto\"]; if header :contains \"Content-Type\" \"pdf\" { fileinto \"pdf\"; }",
        },
    };

    [Theory]
    [InlineData("From: boss@example.com\n\n", "keep")]
    [InlineData("Subject: XXXX\n\n", "reject Subject XXXX is unacceptable.")]
    [InlineData("Subject: Make money\n\n", "reject No thank you.")]
    [InlineData("List-ID: sieve.ietf.org\n\n", "store lists.sieve")]
    [InlineData("Subject: x\n\n", "implicit keep")]
    public void Rfc6609Section32(string message, string expected) => Assert.Equal(expected, Sieve.Actions(
        "require [\"include\"];\ninclude :personal \"always_allow\";\ninclude :global \"spam_tests\";\ninclude :personal \"spam_tests\";\ninclude :personal \"mailing_lists\";", message, host: Scripts));

    [Theory]
    [InlineData("Subject: $$\n\n", "store spam-$$")]
    [InlineData("Subject: Make money\n\n", "store spam-Make money")]
    [InlineData("Subject: x\n\n", "implicit keep")]
    public void Rfc6609Section341(string message, string expected) => Assert.Equal(expected, Sieve.Actions("""
        require ["fileinto", "include", "variables", "relational"];
        global "test";
        global "test_mailbox";
        set "test" "$$";
        include "subject_tests";
        set "test" "Make money";
        include "subject_tests";
        if string :count "eq" "${test_mailbox}" "1"
        {
            fileinto "${test_mailbox}";
            stop;
        }
        """, message, host: Scripts));

    [Theory]
    [InlineData("require [\"variables\", \"include\"]; set \"global.i_am_on_vacation\" \"1\";", "implicit keep")]
    [InlineData("require [\"variables\", \"include\", \"vacation\"]; global \"i_am_on_vacation\"; set \"global.i_am_on_vacation\" \"1\"; if string :is \"${i_am_on_vacation}\" \"1\" { vacation \"It's true, I am on vacation.\"; }", "vacation; implicit keep")]
    [InlineData("require \"include\"; include \"self\";", "error: the script \"self\" includes itself")]
    [InlineData("require \"include\"; include \"once\";", "keep")]
    [InlineData("require \"include\"; include \"returns\"; keep;", "keep")]
    [InlineData("require \"include\"; include \"stops\"; discard;", "implicit keep")]
    [InlineData("require \"include\"; include :optional \"missing\"; discard;", "discard")]
    [InlineData("require \"include\"; include \"missing\"; discard;", "error: there is no personal script \"missing\" to include")]
    [InlineData("require \"include\"; return; discard;", "implicit keep")]
    [InlineData("require [\"include\", \"foreverypart\"]; foreverypart { include \"part\"; }", "store pdf")]
    public void Rfc6609Others(string script, string expected) => Assert.Equal(expected, Sieve.Actions(script, WithParts.Replace("boss@example.org", "roadrunner@x.org").Replace("Subject: Report", "To: roadrunner@acme.example.com"), host: Scripts));

    [Theory]
    [InlineData("require \"include\"; global \"x\";")]
    [InlineData("require [\"include\", \"variables\"]; set \"x\" \"1\"; global \"x\";")]
    [InlineData("require [\"include\", \"variables\"]; global \"1\";")]
    [InlineData("require [\"include\", \"variables\"]; set \"global.12\" \"1\";")]
    [InlineData("require [\"include\", \"variables\"]; set \"global.data.from\" \"1\";")]
    [InlineData("require [\"variables\"]; set \"global.x\" \"1\";")]
    [InlineData("require [\"include\", \"variables\"]; include \"${x}\";")]
    [InlineData("require [\"include\"]; include \"a/b\";")]
    [InlineData("require [\"include\"]; include :personal :global \"a\";")]
    public void Rfc6609Errors(string script) => Assert.Single(Sieve.Compile(script).Errors);
}
