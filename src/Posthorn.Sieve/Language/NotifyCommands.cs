using Posthorn.Core;
using Posthorn.Sieve.Composing;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>notify, valid_notify_method and notify_method_capability (RFC 5435), by mail (RFC 5436).</summary>
internal static class NotifyCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("notify", CommandKind.Action, "enotify")
        {
            Elder = ElderNotifyCommands.Notify,
            Tags =
            [
                new("from", ArgumentKind.Text), new("importance", ArgumentKind.Text), new("options", ArgumentKind.TextList),
                new("message", ArgumentKind.Text), .. Targets.FccTags,
            ],
            Parameters = [new("method", ArgumentKind.Text)],
            Build = Build,
        },
        new("valid_notify_method", CommandKind.Test, "enotify")
        {
            Parameters = [new("methods", ArgumentKind.TextList)],
            BuildTest = b => new ValidMethod(b.List("methods")),
        },
        new("notify_method_capability", CommandKind.Test, "enotify")
        {
            Tags = MatchArguments.Tags,
            Parameters = [new("method", ArgumentKind.Text), new("capability", ArgumentKind.Text), new("keys", ArgumentKind.TextList)],
            BuildTest = b => MatchArguments.Plan(b) is { } plan ? new Capability(plan, b.Text("method"), b.Text("capability")) : null,
        },
    ];

    private static NotifyOp? Build(Bound b)
    {
        if (b.TagText("importance")?.Constant is { } importance && importance is not ("1" or "2" or "3"))
        {
            b.Error(b.TagAt("importance"), "':importance' needs \"1\", \"2\" or \"3\"");
            return null;
        }
        if (b.TagText("from")?.Constant is { } from && b.Text("method").Constant is { } uri && IsMailto(uri) && Addresses.Read(from) is null)
        {
            b.Error(b.TagAt("from"), $"\"{from}\" is not an e-mail address");
            return null;
        }
        if (b.TagList("options") is { Constant: { } options })
            foreach (string option in options)
            {
                if (IsOption(option)) continue;
                b.Error(b.TagAt("options"), $"\"{option}\" is no option", "they look like \"name=value\"");
                return null;
            }
        // What the script itself tests for before it comes here may be unknown; what is a mailto must be right.
        if (b.Text("method").Constant is { } method && Problem(method, b.Compiler.Settings) is { } problem)
        {
            if (IsMailto(method) || !b.Compiler.AsksForMethods)
            {
                b.Error(b.ParameterAt("method"), problem);
                return null;
            }
            b.Warn(b.ParameterAt("method"), problem, "the script will fail if it comes here");
        }
        Targets? copy = Targets.BuildFcc(b, out bool good);
        return good ? new(b.Text("method"), b.TagText("from"), b.TagText("message"), b.TagText("importance"), b.TagList("options"), copy) : null;
    }

    private static bool IsMailto(string uri) => uri.StartsWith("mailto:", StringComparison.OrdinalIgnoreCase);

    // l-d *l-d-p "=" value
    private static bool IsOption(string option)
    {
        int equals = option.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0 || !char.IsAsciiLetterOrDigit(option[0]) || option.AsSpan().IndexOfAny('\r', '\n') >= 0) return false;
        foreach (char c in option.AsSpan(0, equals))
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '_')) return false;
        return true;
    }

    /// <summary>What is wrong with a method, or null.</summary>
    private static string? Problem(string uri, SieveSettings settings)
    {
        int colon = uri.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0) return $"\"{uri}\" is no URI";
        string scheme = uri[..colon].ToLowerInvariant();
        if (scheme != "mailto") return settings.NotifySchemes.Contains(scheme) ? null : $"there is no notification by \"{scheme}\" here";
        MailtoUri.Parse(uri, out string? problem);
        return problem;
    }

    private sealed class NotifyOp(TextExpr method, TextExpr? from, TextExpr? message, TextExpr? importance, TextListExpr? options, Targets? copy) : Op
    {
        public override Flow Run(Execution x)
        {
            string uri = method.Eval(x);
            if (Problem(uri, x.Settings) is { } problem) throw new SieveRunException(problem);
            int weight = importance?.Eval(x) switch
            {
                null or "2" => 2,
                "1" => 1,
                "3" => 3,
                _ => throw new SieveRunException("':importance' needs \"1\", \"2\" or \"3\""),
            };
            string[] given = options?.Eval(x) ?? [];
            SieveTarget? target = copy?.Eval(x, useInternalFlags: false);
            if (!IsMailto(uri))
            {
                x.Result.Notify(new(uri, weight, given, null, null, target));
                return Flow.Next;
            }
            string? author = from?.Eval(x);
            if (author is not null && Addresses.Read(author) is null) throw new SieveRunException($"\"{author}\" is not an e-mail address");
            author = Senders.Author(x, author);
            MailtoUri mailto = MailtoUri.Parse(uri, out _)!;
            // Nobody hears twice of one message (RFC 5436 section 2.7).
            List<EmailAddress> recipients = ElderNotifyCommands.NotYetTold(x, mailto.To.Concat(mailto.Cc));
            if (recipients.Count == 0 && mailto.To.Count + mailto.Cc.Count > 0) return Flow.Next;
            SieveMail? mail = MailtoNotification.Compose(x, mailto, recipients, author, message?.Eval(x), weight, out string? suppressed);
            x.Result.Notify(new(uri, weight, given, mail, suppressed, target));
            return Flow.Next;
        }
    }

    private sealed class ValidMethod(TextListExpr methods) : Cond
    {
        protected override bool Test(Execution x) => Array.TrueForAll(methods.Eval(x), m => Problem(m, x.Settings) is null);
    }

    private sealed class Capability(MatchPlan plan, TextExpr method, TextExpr capability) : MatchTest(plan)
    {
        protected override bool CountsEmpty => false;

        protected override bool Feed(Execution x, MatchPlan.MatchSession session)
        {
            string uri = method.Eval(x);
            string item = capability.Eval(x).ToLowerInvariant();
            // "fcc" needs no more of the URI than its scheme (RFC 8580 section 6.1).
            if (item == "fcc") return session.Offer(IsMailto(uri) ? "yes" : "no");
            return Problem(uri, x.Settings) is null && item == "online" && session.Offer("maybe");
        }
    }
}
