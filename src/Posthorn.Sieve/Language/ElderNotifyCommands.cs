using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Sieve.Composing;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>notify and denotify of the extension "notify" (draft-martin-sieve-notify-01), which enotify replaced; by mail only, as in Pigeonhole.</summary>
internal static class ElderNotifyCommands
{
    private static readonly TagSpec[] Importance = [new("low", Group: "importance"), new("normal", Group: "importance"), new("high", Group: "importance")];

    public static CommandSpec Notify { get; } = new("notify", CommandKind.Action, "notify")
    {
        Tags = [new("method", ArgumentKind.Text), new("id", ArgumentKind.Text), new("options", ArgumentKind.TextList), new("message", ArgumentKind.Text), .. Importance],
        Build = BuildNotify,
    };

    public static CommandSpec Denotify { get; } = new("denotify", CommandKind.Action, "notify")
    {
        Tags =
        [
            new("is", ArgumentKind.Text, "match type"), new("contains", ArgumentKind.Text, "match type"), new("matches", ArgumentKind.Text, "match type"),
            new("regex", ArgumentKind.Text, "match type", "regex"), .. Importance,
        ],
        Build = BuildDenotify,
    };

    /// <summary>Those whom no notification of this run goes to yet: nobody hears twice of one message (RFC 5436 section 2.7).</summary>
    public static List<EmailAddress> NotYetTold(Execution x, IEnumerable<EmailAddress> recipients)
    {
        List<EmailAddress> left = [.. recipients.Distinct()];
        foreach (SieveAction.Notify earlier in x.Result.Actions.OfType<SieveAction.Notify>())
            if (earlier.Mail is { } sent) left.RemoveAll(sent.Recipients.Contains);
        return left;
    }

    private static NotifyOp? BuildNotify(Bound b)
    {
        if (b.TagText("method") is { } method && !(method.Constant?.Equals("mailto", StringComparison.OrdinalIgnoreCase) ?? false))
        {
            b.Error(b.TagAt("method"), "there is no notification but by \"mailto\" here");
            return null;
        }
        if (b.TagList("options") is not { } options)
        {
            b.Error("'notify' needs ':options' with the addresses of those to tell");
            return null;
        }
        foreach (TextExpr option in options.Items)
        {
            if (option.Constant is not { } address || Addresses.Read(address) is not null) continue;
            b.Error(b.TagAt("options"), $"\"{address}\" is not an e-mail address");
            return null;
        }
        return new(options, b.TagText("id"), b.TagText("message"), Weight(b) ?? 2);
    }

    private static DenotifyOp? BuildDenotify(Bound b)
    {
        string? tag = Array.Find((string[])["is", "contains", "matches", "regex"], b.Has);
        if (tag is null) return new(null, Weight(b));
        MatchKind kind = tag switch { "is" => MatchKind.Is, "contains" => MatchKind.Contains, "matches" => MatchKind.Matches, _ => MatchKind.Regex };
        TextListExpr keys = b.TagList(tag)!;
        if (!MatchArguments.CheckKeys(b, kind, Comparator.AsciiCasemap, keys, b.TagAt(tag))) return null;
        return new(new(kind, Comparator.AsciiCasemap, Relation.Equal, keys, false, b.Compiler.Settings.Limits), Weight(b));
    }

    private static int? Weight(Bound b) => b.Has("high") ? 1 : b.Has("normal") ? 2 : b.Has("low") ? 3 : null;

    private sealed class NotifyOp(TextListExpr options, TextExpr? id, TextExpr? message, int importance) : Op
    {
        public override Flow Run(Execution x)
        {
            List<EmailAddress> all = [.. options.Eval(x).Select(o => Addresses.Read(o) ?? throw new SieveRunException($"\"{o}\" is not an e-mail address"))];
            List<EmailAddress> recipients = NotYetTold(x, all);
            if (recipients.Count == 0) return Flow.Next;
            string? suppressed = MailtoNotification.WasAutomatic(x) ? "the message was sent automatically" : null;
            SieveMail? mail = suppressed is null ? Compose(x, recipients) : null;
            x.Result.Notify(new($"mailto:{string.Join(',', recipients)}", importance, [], mail, suppressed, null) { Id = id?.Eval(x) ?? "" });
            return Flow.Next;
        }

        private SieveMail Compose(Execution x, List<EmailAddress> recipients)
        {
            MailBuilder mail = new MailBuilder().Begin(x)
                .Line("X-Sieve: Posthorn Sieve")
                .Line("Auto-Submitted: auto-generated (notify)")
                .Line("Precedence: bulk")
                .Addresses("From", $"Postmaster <{x.Context.Postmaster}>")
                .Addresses("To", string.Join(", ", recipients))
                .Header("Subject", "[SIEVE] New mail notification")
                .Line(importance == 1 ? "X-Priority: 1 (Highest)" : importance == 3 ? "X-Priority: 5 (Lowest)" : "X-Priority: 3 (Normal)")
                .Line(importance == 1 ? "Importance: High" : importance == 3 ? "Importance: Low" : "Importance: Normal")
                .Header("MIME-Version", "1.0").Line("Content-Type: text/plain; charset=utf-8").Line("Content-Transfer-Encoding: 8bit").Line("")
                .Text(FillIn(x, message?.Eval(x) ?? "$from$: $subject$"));
            string sender = x.Context.Envelope.From.Length == 0 ? "" : Senders.Choose(x, x.Settings.NotifySender ?? new(SieveSenderPolicy.Postmaster));
            return new(sender, recipients, mail.Build());
        }

        // $from$, $env-from$, $subject$, $text$ and $text[n]$ stand for pieces of the message.
        private static string FillIn(Execution x, string text)
        {
            StringBuilder filled = new(text.Length);
            for (int at = 0; at < text.Length;)
            {
                int end = text[at] == '$' ? text.IndexOf('$', at + 1) : -1;
                if (end > 0 && Value(x, text[(at + 1)..end]) is { } value)
                {
                    filled.Append(value);
                    at = end + 1;
                }
                else filled.Append(text[at++]);
            }
            return SieveText.Truncate(filled.ToString(), x.Limits.MaxStringSize);
        }

        private static string? Value(Execution x, string name)
        {
            switch (name)
            {
                case "from": return x.View.First("From")?.Text ?? "";
                case "env-from": return x.Context.Envelope.From;
                case "subject": return x.View.First("Subject")?.Text ?? "";
                case "text": return Body(x, int.MaxValue);
            }
            return name is ['t', 'e', 'x', 't', '[', .. { } digits, ']'] && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int most) ? Body(x, most) : null;
        }

        // The first text of the message.
        private static string Body(Execution x, int most)
        {
            List<ISievePart> parts = [];
            PartLoop.Collect(x.View.Message.Root, parts);
            if (parts.Find(p => p.Type == "text") is not { } part) return "";
            string text = HtmlText.OfPart(part, part.DecodeText(x.Limits.MaxBodySize) ?? "").Trim();
            return most < text.Length ? text[..(char.IsHighSurrogate(text[Math.Max(most - 1, 0)]) ? most - 1 : most)] : text;
        }
    }

    private sealed class DenotifyOp(MatchPlan? ids, int? importance) : Op
    {
        public override Flow Run(Execution x)
        {
            x.Result.Denotify(n => n.Id is not null && (importance is null || n.Importance == importance) && (ids is null || new MatchPlan.MatchSession(ids, x).Offer(n.Id)));
            return Flow.Next;
        }
    }
}
