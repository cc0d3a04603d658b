using Posthorn.Core;
using Posthorn.Sieve.Composing;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>vacation (RFC 5230), with seconds (RFC 6131) and fcc (RFC 8580).</summary>
internal static class VacationCommand
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("vacation", CommandKind.Action, "vacation", "vacation-seconds")
        {
            Tags =
            [
                new("days", ArgumentKind.Number, "period"), new("seconds", ArgumentKind.Number, "period", "vacation-seconds"),
                new("subject", ArgumentKind.Text), new("from", ArgumentKind.Text), new("addresses", ArgumentKind.TextList),
                new("mime"), new("handle", ArgumentKind.Text), .. Targets.FccTags,
            ],
            Parameters = [new("reason", ArgumentKind.Text)],
            Build = Build,
        },
    ];

    private static VacationOp? Build(Bound b)
    {
        if (b.TagText("from")?.Constant is { } from && !PartCommands.IsMailboxList(from))
        {
            b.Error(b.TagAt("from"), $"\"{from}\" is not an e-mail address");
            return null;
        }
        if (b.TagList("addresses") is { Constant: { } addresses })
            foreach (string address in addresses)
            {
                // As Pigeonhole: what is no address is nobody's.
                if (Addresses.Read(address) is null) b.Warn(b.TagAt("addresses"), $"\"{address}\" is not an e-mail address, and is ignored");
            }
        if (b.Has("mime") && b.Text("reason").Constant is { } reason && HasBadMimeHeader(reason))
            b.Warn(b.ParameterAt("reason"), "with ':mime' the reason must begin with MIME header fields of ASCII", "Content-Type: text/plain; charset=utf-8, and an empty line");
        Targets? copy = Targets.BuildFcc(b, out bool good);
        return good ? new(b, copy) : null;
    }

    private static bool HasBadMimeHeader(string reason)
    {
        int end = reason.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        string header = end < 0 ? reason : reason[..end];
        return !System.Text.Ascii.IsValid(header) || !header.Contains(':', StringComparison.Ordinal);
    }

    private sealed class VacationOp : Op
    {
        private readonly TextExpr _reason;
        private readonly TextExpr? _subject;
        private readonly TextExpr? _from;
        private readonly TextListExpr? _addresses;
        private readonly TextExpr? _handle;
        private readonly string _implicitHandle;
        private readonly bool _mime;
        private readonly TimeSpan _period;
        private readonly Targets? _copy;

        public VacationOp(Bound b, Targets? copy)
        {
            _reason = b.Text("reason");
            _subject = b.TagText("subject");
            _from = b.TagText("from");
            _addresses = b.TagList("addresses");
            _handle = b.TagText("handle");
            _mime = b.Has("mime");
            _copy = copy;
            // The unexpanded arguments (RFC 5230 section 4.2), put together as Pigeonhole does, so that its memory can be taken over.
            _implicitHandle = _reason.Source + (_subject?.Source ?? "<default-subject>") + (_from?.Source ?? "<default-from>") + (_mime ? "<MIME>" : "<NO-MIME>");
            _period = Period(b);
        }

        private static TimeSpan Period(Bound b)
        {
            SieveSettings settings = b.Compiler.Settings;
            TimeSpan period = settings.VacationDefaultPeriod;
            if (b.TagNumber("days") is { } days)
            {
                if (days == 0) b.Warn(b.TagAt("days"), "':days 0' counts as the shortest period", "':seconds 0' answers every message");
                period = TimeSpan.FromDays(Math.Clamp(days, 1, 36_500));
            }
            else if (b.TagNumber("seconds") is { } seconds)
            {
                period = TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue));
                // A minimum above zero would forbid answering each message, which RFC 6131 wants possible.
                if (period == TimeSpan.Zero) return period;
                return settings.VacationMaxPeriod > TimeSpan.Zero && period > settings.VacationMaxPeriod ? settings.VacationMaxPeriod : period;
            }
            if (period < settings.VacationMinPeriod) period = settings.VacationMinPeriod;
            return settings.VacationMaxPeriod > TimeSpan.Zero && period > settings.VacationMaxPeriod ? settings.VacationMaxPeriod : period;
        }

        public override Flow Run(Execution x)
        {
            if (x.Context.IsImapEvent) throw new SieveRunException("there is nobody to answer when a script runs for an IMAP event");
            string? from = _from?.Eval(x);
            if (from is not null && !PartCommands.IsMailboxList(from)) throw new SieveRunException($"\"{from}\" is not an e-mail address");
            from = Senders.Author(x, from);
            List<EmailAddress> addresses = [];
            foreach (string text in _addresses?.Eval(x) ?? [])
                if (Addresses.Read(text) is { } address) addresses.Add(address);
            VacationRequest request = new(_reason.Eval(x), _subject?.Eval(x), from, addresses, _mime);
            SieveMail? reply = VacationReply.Compose(x, request, out string? suppressed);
            x.Result.Vacation(new(_handle?.Eval(x) ?? _implicitHandle, _period, reply, suppressed, _copy?.Eval(x, useInternalFlags: false)));
            return Flow.Next;
        }
    }
}
