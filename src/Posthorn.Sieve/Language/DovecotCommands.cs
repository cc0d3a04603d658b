using Posthorn.Core;
using Posthorn.Sieve.Composing;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>debug_log (vnd.dovecot.debug) and report (vnd.dovecot.report, RFC 5965).</summary>
internal static class DovecotCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("debug_log", CommandKind.Action, "vnd.dovecot.debug")
        {
            Parameters = [new("text", ArgumentKind.Text)],
            Build = b => new DebugOp(b.Text("text")),
        },
        new("report", CommandKind.Action, "vnd.dovecot.report")
        {
            Tags = [new("headers_only")],
            Parameters = [new("feedback type", ArgumentKind.Text), new("message", ArgumentKind.Text), new("address", ArgumentKind.Text)],
            Build = BuildReport,
        },
    ];

    private static ReportOp? BuildReport(Bound b)
    {
        if (b.Text("feedback type").Constant is { } type && !IsToken(type))
        {
            b.Error(b.ParameterAt("feedback type"), $"\"{type}\" is no type of feedback", "for example \"abuse\" or \"not-spam\"");
            return null;
        }
        if (b.Text("address").Constant is { } address && Addresses.Read(address) is null)
        {
            b.Error(b.ParameterAt("address"), $"\"{address}\" is not an e-mail address");
            return null;
        }
        return new(b.Text("feedback type"), b.Text("message"), b.Text("address"), b.Has("headers_only"));
    }

    private static bool IsToken(string text)
    {
        foreach (char c in text)
            if (c is <= ' ' or >= '\x7f' || "()<>@,;:\\\"/[]?=".Contains(c, StringComparison.Ordinal)) return false;
        return text.Length is > 0 and < 100;
    }

    private sealed class DebugOp(TextExpr text) : Op
    {
        public override Flow Run(Execution x)
        {
            x.Note(SieveText.Truncate(text.Eval(x), 1000));
            return Flow.Next;
        }
    }

    private sealed class ReportOp(TextExpr type, TextExpr message, TextExpr address, bool headersOnly) : Op
    {
        public override Flow Run(Execution x)
        {
            string feedback = type.Eval(x);
            if (!IsToken(feedback)) throw new SieveRunException($"\"{feedback}\" is no type of feedback");
            string text = address.Eval(x);
            EmailAddress to = Addresses.Read(text) ?? throw new SieveRunException($"\"{text}\" is not an e-mail address");
            x.Result.Add(new SieveAction.Report(feedback, Compose(x, feedback, message.Eval(x), to)));
            return Flow.Next;
        }

        private SieveMail Compose(Execution x, string feedback, string text, EmailAddress to)
        {
            ISieveMessage original = x.View.Original;
            MailBuilder mail = new MailBuilder().Begin(x)
                .Addresses("From", Author(x))
                .Addresses("To", to.ToString())
                .Header("Subject", $"Report: {x.View.First("Subject")?.Text ?? "(message without subject)"}")
                .Line("Auto-Submitted: auto-generated (report)")
                .Header("MIME-Version", "1.0");
            string boundary = MailBuilder.Boundary(x);
            mail.Line($"Content-Type: multipart/report; report-type=feedback-report;\r\n boundary=\"{boundary}\"").Line("")
                .Line("This is a MIME-encapsulated message").Line("").Line($"--{boundary}")
                .Line("Content-Type: text/plain; charset=utf-8").Line("Content-Disposition: inline").Line("Content-Transfer-Encoding: 8bit").Line("").Text(text)
                .Line("").Line($"--{boundary}").Line("Content-Type: message/feedback-report").Line("")
                .Line("Version: 1").Line($"Feedback-Type: {feedback}").Line("User-Agent: Posthorn Sieve");
            SieveEnvelope envelope = x.Context.Envelope;
            if (!x.Context.IsImapEvent)
            {
                mail.Line($"Original-Mail-From: <{envelope.From}>");
                if (envelope.To.Length > 0) mail.Line($"Original-Rcpt-To: <{envelope.To}>");
            }
            // The field of that extension's own that says whose complaint it is.
            if (x.Context.Owner is { } owner) mail.Line($"Dovecot-Reporting-User: <{owner}>");
            mail.Line("").Line($"--{boundary}")
                .Line(headersOnly ? "Content-Type: text/rfc822-headers" : "Content-Type: message/rfc822").Line("Content-Disposition: attachment").Line("")
                .Octets(original.Read(0, headersOnly ? original.Root.BodyStart : original.Root.End).Span)
                .Line("").Line($"--{boundary}--");
            return new("", [to], mail.Build());
        }

        private static string Author(Execution x) => x.Settings.ReportFrom.Policy switch
        {
            SieveSenderPolicy.Sender when x.Context.Envelope.From.Length > 0 => x.Context.Envelope.From,
            SieveSenderPolicy.Recipient when x.Context.Envelope.To.Length > 0 => x.Context.Envelope.To,
            SieveSenderPolicy.OriginalRecipient when x.Context.Envelope.OriginalTo is { Length: > 0 } first => first,
            SieveSenderPolicy.Owner => Senders.Owner(x),
            SieveSenderPolicy.Fixed when x.Settings.ReportFrom.Address is { } fixedAddress => fixedAddress,
            _ => $"Postmaster <{x.Context.Postmaster}>",
        };
    }
}
