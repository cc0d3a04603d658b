using System.Text;

namespace Posthorn.Sieve.Tests.Rfc;

/// <summary>vacation (RFC 5230, RFC 6131), reject and ereject (RFC 5429), notify (RFC 5435, RFC 5436), fcc (RFC 8580).</summary>
public sealed class ReplyTests
{
    private static string Text(SieveMail mail) => Encoding.UTF8.GetString(mail.Octets.Span);

    private static SieveAction.Vacation Vacation(string script, string message = Sieve.MessageA, SieveContext? context = null, SieveSettings? settings = null) =>
        Assert.IsType<SieveAction.Vacation>(Sieve.Run(script, message, context, settings).Actions[0]);

    [Fact]
    public void Rfc5230Section42RepliesAreTheirOwn()
    {
        const string Script = """
            require "vacation";
            if header :contains "subject" "cyrus" {
                vacation "I'm out -- send mail to cyrus-bugs";
            } else {
                vacation "I'm out -- call me at +1 304 555 0123";
            }
            """;
        SieveAction.Vacation one = Vacation(Script, "From: coyote@desert.example.org\nTo: roadrunner@acme.example.com\nSubject: Cyrus bug\n\n");
        SieveAction.Vacation two = Vacation(Script, "From: coyote@desert.example.org\nTo: roadrunner@acme.example.com\nSubject: come over for dinner\n\n");
        Assert.NotEqual(one.Handle, two.Handle);
        Assert.NotNull(one.Reply);
        Assert.Contains("cyrus-bugs", Text(one.Reply!));
    }

    [Fact]
    public void Rfc5230Section42VariablesDoNotMakeANewReply()
    {
        const string Script = """
            require ["vacation", "variables"];
            if header :matches "subject" "*" {
                vacation :subject "Automatic response to: ${1}"
                         "I'm away -- send mail to foo in my absence";
            }
            """;
        SieveAction.Vacation one = Vacation(Script);
        SieveAction.Vacation two = Vacation(Script, "To: roadrunner@acme.example.com\nSubject: other\n\n");
        Assert.Equal(one.Handle, two.Handle);
        Assert.Contains("Subject: Automatic response to: other\r\n", Text(two.Reply!));
    }

    [Fact]
    public void Rfc5230Section42Handle()
    {
        const string Script = """
            require "vacation";
            if header :contains "subject" "lunch" {
                vacation :handle "ran-away" "I'm out and can't meet for lunch";
            } else {
                vacation :handle "ran-away" "I'm out";
            }
            """;
        Assert.Equal("ran-away", Vacation(Script).Handle);
        Assert.Equal("ran-away", Vacation(Script, "To: roadrunner@acme.example.com\nSubject: lunch?\n\n").Handle);
    }

    [Fact]
    public void Rfc5230Section44Mime()
    {
        string reply = Text(Vacation("""
            require "vacation";
            vacation :mime text:
            Content-Type: multipart/alternative; boundary=foo

            --foo

            I'm at the beach relaxing.  Mmmm, surf...

            --foo
            Content-Type: text/html; charset=us-ascii

            <HTML><BODY><P>I'm at the <A HREF="beach.gif">beach</A> relaxing.</BODY></HTML>

            --foo--
            .
            ;
            """).Reply!);
        Assert.Contains("MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=foo\r\n\r\n--foo\r\n", reply);
    }

    [Fact]
    public void Rfc5230Section48()
    {
        SieveAction.Vacation vacation = Vacation("""
            require "vacation";
            vacation :days 23 :addresses ["tjs@example.edu",
                                          "ts4z@landru.example.edu"]
            "I'm away until October 19.
            If it's an emergency, call 911, I guess." ;
            """, "From: a@b.c\nTo: tjs@example.edu\n\n");
        Assert.Equal(TimeSpan.FromDays(23), vacation.Period);
        Assert.Contains("From: <tjs@example.edu>\r\n", Text(vacation.Reply!));
        Assert.Contains("Subject: Automated reply\r\n", Text(vacation.Reply!));
        Assert.EndsWith("I'm away until October 19.\r\nIf it's an emergency, call 911, I guess.\r\n", Text(vacation.Reply!));
        const string Second = """
            require "vacation";
            if header :contains "from" "boss@example.edu" {
                redirect "pleeb@isp.example.org";
            } else {
                vacation "Sorry, I'm away, I'll read your
            message when I get around to it.";
            }
            """;
        Assert.Equal("vacation; implicit keep", Sieve.Actions(Second));
        Assert.Equal("redirect pleeb@isp.example.org", Sieve.Actions(Second, "From: boss@example.edu\n\n"));
    }

    [Fact]
    public void TheReplyHasWhatSection5Asks()
    {
        SieveMail reply = Vacation("require \"vacation\"; vacation \"Gone\";", "From: Wile <coyote@desert.example.org>\nTo: roadrunner@acme.example.com\nSubject: Hé\nMessage-ID: <1@x>\nReferences: <0@x>\n\n").Reply!;
        string text = Text(reply);
        Assert.Equal("", reply.Sender);
        Assert.Equal("coyote@desert.example.org", Assert.Single(reply.Recipients).ToString());
        foreach (string line in (string[])["Auto-Submitted: auto-replied (vacation)", "To: Wile <coyote@desert.example.org>", "In-Reply-To: <1@x>", "References: <0@x> <1@x>",
            "Date: Wed, 6 Mar 2024 10:20:30 +0000", "From: <roadrunner@acme.example.com>", "Subject: =?UTF-8?B?QXV0bzogSMOp?="])
            Assert.Contains(line + "\r\n", text);
    }

    [Theory]
    [InlineData("List-Id: x", "mailing list")]
    [InlineData("List-Unsubscribe: x", "mailing list")]
    [InlineData("Auto-Submitted: auto-generated", "automatically")]
    [InlineData("Precedence: bulk", "bulk")]
    [InlineData("X-Auto-Response-Suppress: OOF, DR", "no automatic")]
    public void SomeMailIsNotAnswered(string header, string why)
    {
        SieveAction.Vacation vacation = Vacation("require \"vacation\"; vacation \"Gone\";", $"{header}\nTo: roadrunner@acme.example.com\n\n");
        Assert.Null(vacation.Reply);
        Assert.Contains(why, vacation.Suppressed);
    }

    [Theory]
    [InlineData("", "no sender")]
    [InlineData("MAILER-DAEMON@x.org", "automatic system")]
    [InlineData("owner-list@x.org", "automatic system")]
    [InlineData("list-request@x.org", "automatic system")]
    [InlineData("noreply@x.org", "automatic system")]
    [InlineData("roadrunner@acme.example.com", "the owner")]
    public void SomeSendersAreNotAnswered(string sender, string why) => Assert.Contains(why,
        Vacation("require \"vacation\"; vacation \"Gone\";", context: Sieve.Context with { Envelope = Sieve.Context.Envelope with { From = sender } }).Suppressed);

    [Fact]
    public void MailThatDoesNotNameTheOwnerIsNotAnswered() =>
        Assert.Contains("not addressed", Vacation("require \"vacation\"; vacation \"Gone\";", "To: somebody@else.org\n\n").Suppressed);

    [Theory]
    [InlineData("vacation \"a\"; vacation \"b\";")]
    [InlineData("vacation \"a\"; reject \"b\";")]
    [InlineData("reject \"b\"; vacation \"a\";")]
    [InlineData("reject \"b\"; keep;")]
    [InlineData("keep; reject \"b\";")]
    [InlineData("reject \"b\"; redirect \"a@b.c\";")]
    [InlineData("fileinto \"x\"; reject \"b\";")]
    [InlineData("reject \"a\"; reject \"b\";")]
    [InlineData("reject \"a\"; ereject \"b\";")]
    public void WhatCannotGoTogetherIsAnError(string script)
    {
        SieveResult result = Sieve.Run("require [\"vacation\", \"reject\", \"ereject\", \"fileinto\"];" + script);
        Assert.Equal(SieveFailure.Script, result.Error!.Failure);
        Assert.True(Assert.IsType<SieveAction.Keep>(Assert.Single(result.Actions)).IsImplicit);
    }

    [Theory]
    [InlineData("vacation :days 3 \"x\";", 3 * 86400)]
    [InlineData("vacation \"x\";", 7 * 86400)]
    [InlineData("vacation :seconds 1800 \"x\";", 1800)]
    [InlineData("vacation :seconds 0 \"x\";", 0)]
    [InlineData("vacation :seconds 2147483647 \"x\";", 2147483647)]
    public void Rfc6131Periods(string script, long seconds) => Assert.Equal(seconds, (long)Vacation("require \"vacation-seconds\";" + script).Period.TotalSeconds);

    [Fact]
    public void Rfc6131Section3()
    {
        Assert.Equal("vacation; implicit keep", Sieve.Actions("""
            require ["vacation-seconds"];
            vacation :addresses ["tjs@example.edu", "ts4z@landru.example.edu"]
                     :seconds 1800
                     "I am in a meeting, and do not have access to email.";
            """));
        Assert.Equal("auto-resp", Vacation("""
            require ["vacation-seconds"];
            vacation :handle "auto-resp" :seconds 0
                "Your request has been received.  A service
                 representative will contact you as soon as
                 possible, usually within one business day.";
            """).Handle);
        Assert.Single(Sieve.Compile("require \"vacation-seconds\"; vacation :days 1 :seconds 2 \"x\";").Errors);
    }

    [Fact]
    public void Rfc5429Ereject()
    {
        const string Script = "require [\"ereject\"];\nif address \"from\" \"someone@example.com\" {\n ereject \"I no longer accept mail from this address\";\n}";
        Assert.Equal("ereject I no longer accept mail from this address", Sieve.Actions(Script, "From: someone@example.com\n\n"));
        Assert.Equal("implicit keep", Sieve.Actions(Script));
    }

    [Fact]
    public void Rfc5429Reject()
    {
        SieveResult result = Sieve.Run("""
            require ["reject"];
            if header :contains "from" "coyote@desert.example.org" {
                reject text:
            I am not taking mail from you, and I don't
            want your birdseed, either!
            .
                ;
            }
            """);
        SieveAction.Reject reject = Assert.IsType<SieveAction.Reject>(Assert.Single(result.Actions));
        Assert.Equal("I am not taking mail from you, and I don't\r\nwant your birdseed, either!\r\n", reject.Reason);
        string notice = Text(reject.Notice!);
        Assert.Contains("report-type=disposition-notification", notice);
        Assert.Contains("Disposition: automatic-action/MDN-sent-automatically; deleted\r\n", notice);
        Assert.Contains("want your birdseed, either!\r\n", notice);
        Assert.Equal("", reject.Notice!.Sender);
    }

    [Fact]
    public void Rfc5429SizeAndSpam()
    {
        Assert.Equal("implicit keep", Sieve.Actions("require [\"reject\"];\nif size :over 100K {\n reject text:\nYour message is too big.  If you want to send me a big attachment,\nput it on a public web site and send me a URL.\n.\n;\n}"));
        const string Script = """
            require ["ereject", "spamtest", "fileinto", "relational",
                     "comparator-i;ascii-numeric"];
            if spamtest :value "ge"
                        :comparator "i;ascii-numeric" "6" {
                ereject text:
            AntiSpam engine thinks your message is spam.
            It is therefore being refused.
            Please call 1-900-PAY-US if you want to reach us.
            .
                ;
            } elsif spamtest :value "ge"
                             :comparator "i;ascii-numeric" "4" {
                fileinto "Suspect";
            }
            """;
        SieveSettings settings = Sieve.Settings with { SpamTest = new() { StatusHeader = "X-Score", MaxValue = 10 } };
        Assert.StartsWith("ereject AntiSpam engine", Sieve.Actions(Script, "X-Score: 9\n\n", settings: settings));
        Assert.Equal("store Suspect", Sieve.Actions(Script, "X-Score: 4\n\n", settings: settings));
        Assert.Equal("implicit keep", Sieve.Actions(Script, "X-Score: 0\n\n", settings: settings));
    }

    [Fact]
    public void ANullSenderGetsNoNotice() =>
        Assert.Null(Assert.IsType<SieveAction.Reject>(Sieve.Run("require \"reject\"; reject \"x\";", context: Sieve.Context with { Envelope = new() { To = "a@b.c" } }).Actions[0]).Notice);

    private const string KnittingMessage = """
        Return-Path: <knitting-bounces@example.com>
        Message-ID: <1234567.89ABCDEF@example.com>
        Date: Wed, 07 Dec 2005 10:59:19 +0100
        Precedence: list
        List-Id: Knitting Mailing List <knitting.example.com>
        From: "Jeff Smith" <jeff@hobbies.example.com>
        To: "Knitting Mailing List" <knitting@example.com>
        Subject: [Knitting] A new sweater

        I just finished a great new sweater!
        """;

    [Fact]
    public void Rfc5436Section3()
    {
        SieveContext context = Sieve.Context with { Owner = Posthorn.Core.EmailAddress.Parse("recipient@example.org"), Envelope = new() { From = "knitting-bounces@example.com", To = "recipient@example.org" } };
        SieveResult result = Sieve.Run("""
            require ["enotify", "variables"];
            if header :contains "list-id" "knitting.example.com" {
              if header :matches "Subject" "[*] *" {
                notify :message "From ${1} list: ${2}"
                    :importance "3"
                    "mailto:0123456789@sms.example.net?to=backup@example.com";
              }
             }
            """, KnittingMessage, context);
        SieveAction.Notify notify = Assert.IsType<SieveAction.Notify>(result.Actions[0]);
        string text = Text(notify.Mail!);
        Assert.Contains("Auto-Submitted: auto-notified; owner-email=\"recipient@example.org\"\r\n", text);
        Assert.Contains("From: recipient@example.org\r\n", text);
        Assert.Contains("To: 0123456789@sms.example.net, backup@example.com\r\n", text);
        Assert.Contains("Subject: From Knitting list: A new sweater\r\n", text);
        Assert.Equal(2, notify.Mail!.Recipients.Count);
        Assert.IsType<SieveAction.Keep>(result.Actions[1]);
    }

    [Fact]
    public void Rfc5435Section37()
    {
        const string First = """
            require ["enotify", "fileinto", "variables"];
            if header :contains "from" "boss@example.org" {
                notify :importance "1"
                    :message "This is probably very important"
                                "mailto:alm@example.com";
                # Don't send any further notifications
                stop;
            }
            if header :contains "to" "sievemailinglist@example.org" {
                # :matches is used to get the value of the Subject header
                if header :matches "Subject" "*" {
                    set "subject" "${1}";
                }
                # :matches is used to get the value of the From header
                if header :matches "From" "*" {
                    set "from" "${1}";
                }
                notify :importance "3"
                    :message "[SIEVE] ${from}: ${subject}"
                    "mailto:alm@example.com";
                fileinto "INBOX.sieve";
            }
            """;
        Assert.Equal("notify mailto:alm@example.com; implicit keep", Sieve.Actions(First, "From: boss@example.org\n\n"));
        SieveResult result = Sieve.Run(First, "From: me@x.org\nTo: sievemailinglist@example.org\nSubject: Hi\n\n");
        Assert.Equal("notify mailto:alm@example.com; store INBOX.sieve", Sieve.Actions(result));
        Assert.Contains("Subject: [SIEVE] me@x.org: Hi\r\n", Text(((SieveAction.Notify)result.Actions[0]).Mail!));
        Assert.Equal("notify mailto:alm@example.com; implicit keep", Sieve.Actions("""
            require ["enotify", "fileinto", "variables", "envelope"];
            if header :matches "from" "*@*.example.org" {
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
                                "mailto:alm@example.com";
            }
            """));
    }

    private const string Third = """
        require ["enotify", "variables"];
        set "notif_method"
        "xmpp:tim@example.com?message;subject=SIEVE;body=You%20got%20mail";
        if header :contains "subject" "Your dog" {
            set "notif_method" "tel:+14085551212";
        }
        if header :contains "to" "sievemailinglist@example.org" {
            set "notif_method" "";
        }
        if not string :is "${notif_method}" "" {
            notify "${notif_method}";
        }
        if header :contains "from" "boss@example.org" {
            # :matches is used to get the value of the Subject header
            if header :matches "Subject" "*" {
                set "subject" "${1}";
            }
            # don't need high importance notification for
            # a 'for your information'
            if not header :contains "subject" "FYI:" {
                notify :importance "1" :message "BOSS: ${subject}"
                                   "tel:+14085551212";
            }
        }
        """;

    [Theory]
    [InlineData("Subject: Your dog\n\n", "notify tel:+14085551212; implicit keep")]
    [InlineData("To: sievemailinglist@example.org\n\n", "implicit keep")]
    [InlineData("From: boss@example.org\n\n", "notify xmpp:tim@example.com?message;subject=SIEVE;body=You%20got%20mail; notify tel:+14085551212; implicit keep")]
    public void Rfc5435Section37Third(string message, string expected) =>
        Assert.Equal(expected, Sieve.Actions(Third, message, settings: Sieve.Settings with { NotifySchemes = new HashSet<string> { "xmpp", "tel" } }));

    [Fact]
    public void AnUnknownMethodIsAnErrorAsSoonAsItIsKnown()
    {
        Assert.Equal("error: there is no notification by \"xmpp\" here", Sieve.Actions(Third.Replace("tel:+14085551212", "mailto:a@b.example", StringComparison.Ordinal)));
        Assert.Equal("there is no notification by \"tel\" here", Assert.Single(Sieve.Compile(Third).Errors).Message);
        Assert.True(Sieve.Compile("require \"enotify\"; if valid_notify_method \"tel:1\" { notify \"tel:1\"; }").IsOk);
    }

    [Fact]
    public void Rfc5435Sections4To6()
    {
        Assert.Equal("implicit keep", Sieve.Actions("require \"enotify\"; if not valid_notify_method [\"mailto:\",\n \"http://gw.example.net/notify?test\"] {\n stop;\n} discard;"));
        Assert.Equal("notify tel:+14085551212; implicit keep", Sieve.Actions("""
            require ["enotify"];
            if notify_method_capability
                   "xmpp:tim@example.com?message;subject=SIEVE"
                   "Online"
                   "yes" {
                notify :importance "1" :message "You got mail"
                     "xmpp:tim@example.com?message;subject=SIEVE";
            } else {
                notify :message "You got mail" "tel:+14085551212";
            }
            """, settings: Sieve.Settings with { NotifySchemes = new HashSet<string> { "xmpp", "tel" } }));
        SieveResult encoded = Sieve.Run("require [\"enotify\", \"variables\"]; set :encodeurl \"body_param\" \"Safe body&evil=evilbody\"; notify \"mailto:tim@example.com?body=${body_param}\";");
        Assert.Equal("mailto:tim@example.com?body=Safe%20body%26evil%3Devilbody", ((SieveAction.Notify)encoded.Actions[0]).Method);
        Assert.EndsWith("\r\n\r\nSafe body&evil=evilbody\r\n", Text(((SieveAction.Notify)encoded.Actions[0]).Mail!));
        Assert.True(Sieve.Holds("\"enotify\"", "notify_method_capability \"mailto:a@b.c\" \"online\" \"maybe\""));
    }

    [Fact]
    public void UnsafeFieldsOfAMailtoUriAreIgnored()
    {
        SieveResult result = Sieve.Run("require \"enotify\"; notify \"mailto:a@b.c?from=evil@x.y&auto-submitted=no&received=z&x-mine=yes&subject=Sub%20ject&cc=d@e.f\";");
        SieveMail mail = ((SieveAction.Notify)result.Actions[0]).Mail!;
        string text = Text(mail);
        Assert.DoesNotContain("evil", text);
        Assert.DoesNotContain("Received", text);
        Assert.Contains("X-mine: yes\r\n", text);
        Assert.Contains("Subject: Sub ject\r\n", text);
        Assert.Equal(2, mail.Recipients.Count);
    }

    [Fact]
    public void MailSentByMachinesIsNotNotified() =>
        Assert.Equal("notify (the message was sent automatically); implicit keep", Sieve.Actions("require \"enotify\"; notify \"mailto:a@b.c\";", "Auto-Submitted: auto-replied\n\n"));

    [Fact]
    public void Rfc8580()
    {
        SieveAction.Vacation vacation = Vacation("""
            require ["vacation", "fcc", "mailbox", "special-use", "imap4flags"];
            vacation :days 7
                     :from "hemingway@example.com" "Gone Fishin'"
                     :specialuse "\\Sent" :create
                     :fcc "INBOX.Sent" :flags ["\\Seen"];
            """);
        Assert.Equal("INBOX.Sent", vacation.Copy!.Mailbox.Value);
        Assert.Equal(("\\Sent", true, "\\Seen"), (vacation.Copy.SpecialUse, vacation.Copy.Create, Assert.Single(vacation.Copy.Flags)));
        Assert.Equal("INBOX.Sent", ((SieveAction.Notify)Sieve.Run("require [\"enotify\", \"fcc\"]; notify :fcc \"INBOX.Sent\" :message \"You got mail!\" \"mailto:ken@example.com\";").Actions[0]).Copy!.Mailbox.Value);
        Assert.Equal("notify mailto:ken@example.com; implicit keep", Sieve.Actions("""
            require ["enotify", "fcc"];
            if notify_method_capability "xmpp:" "fcc" "yes" {
                notify :fcc "INBOX.Sent"
                       :message "You got mail"
                       "xmpp:ken@example.com?message;subject=SIEVE";
            } else {
                notify :fcc "INBOX.Sent"
                       :message "You got mail!"
                       "mailto:ken@example.com";
            }
            """));
        Assert.Single(Sieve.Compile("require [\"reject\", \"fcc\"]; reject :fcc \"x\" \"no\";").Errors);
        Assert.Single(Sieve.Compile("require [\"vacation\", \"mailbox\"]; vacation :create \"no\";").Errors);
    }
}
