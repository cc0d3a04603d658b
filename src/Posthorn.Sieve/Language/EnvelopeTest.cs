using System.Globalization;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>envelope (RFC 5228 section 5.4, RFC 6009 sections 4 and 5).</summary>
internal static class EnvelopeTest
{
    private static readonly string[] PlainParts = ["from", "to", "auth", "orig_to", "orig-to"];
    private static readonly string[] DsnParts = ["notify", "orcpt", "ret", "envid"];
    private static readonly string[] DeliverByParts = ["bytimeabsolute", "bytimerelative", "bymode", "bytrace"];

    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("envelope", CommandKind.Test, "envelope")
        {
            Tags = [.. MatchArguments.TagsWithLists, .. MatchArguments.AddressPart, new("zone", ArgumentKind.Text, Extension: "envelope-deliverby")],
            Parameters = [new("envelope parts", ArgumentKind.TextList), new("keys", ArgumentKind.TextList)],
            BuildTest = Build,
        },
    ];

    private static Envelope? Build(Bound b)
    {
        bool dsn = b.Compiler.IsRequired("envelope-dsn");
        bool by = b.Compiler.IsRequired("envelope-deliverby");
        if (b.List("envelope parts").Constant is { } parts)
            foreach (string part in parts.Select(p => p.ToLowerInvariant()))
            {
                bool isDsn = Array.Exists(DsnParts, p => p == part);
                bool isBy = Array.Exists(DeliverByParts, p => p == part);
                if (isDsn) b.Compiler.Use("envelope-dsn");
                if (isBy) b.Compiler.Use("envelope-deliverby");
                if (!(Array.Exists(PlainParts, p => p == part) || isDsn && (dsn || b.Compiler.IsLenient) || isBy && (by || b.Compiler.IsLenient)))
                {
                    b.Error(b.ParameterAt("envelope parts"), $"the envelope has no part \"{part}\"",
                        isDsn ? "add require \"envelope-dsn\";" : isBy ? "add require \"envelope-deliverby\";" : "it has \"from\" and \"to\"");
                    return null;
                }
                if ((isDsn || isBy) && (b.Has("all") || b.Has("localpart") || b.Has("domain") || b.Has("user") || b.Has("detail")))
                {
                    b.Error(b.ParameterAt("envelope parts"), $"the envelope part \"{part}\" is no address and has no address parts");
                    return null;
                }
            }
        if (b.TagText("zone")?.Constant is { } zone && MailDate.ParseOffset(zone) is null)
        {
            b.Error(b.TagAt("zone"), $"\"{zone}\" is no time zone", "for example \"+0100\"");
            return null;
        }
        return MatchArguments.Plan(b) is { } plan ? new(plan, b.List("envelope parts"), AddressParts.Find(b), b.TagText("zone"), dsn, by) : null;
    }

    private sealed class Envelope(MatchPlan plan, TextListExpr parts, AddressPart addressPart, TextExpr? zone, bool dsn, bool by) : MatchTest(plan)
    {
        protected override bool Feed(Execution x, MatchPlan.MatchSession session)
        {
            if (x.Context.IsImapEvent) throw new SieveRunException("there is no envelope when a script runs for an IMAP event");
            SieveEnvelope envelope = x.Context.Envelope;
            foreach (string part in parts.Eval(x))
            {
                bool decided = part.ToLowerInvariant() switch
                {
                    "from" => Address(x, session, envelope.From),
                    "to" => Address(x, session, envelope.To),
                    "orig_to" or "orig-to" => envelope.OriginalTo is { } to && Address(x, session, to),
                    "auth" => envelope.Auth is { Length: > 0 } auth && Address(x, session, auth),
                    "notify" when dsn => envelope.Notify.Any(session.Offer),
                    "orcpt" when dsn => envelope.OriginalRecipient is { } orcpt && session.Offer(orcpt),
                    "ret" when dsn => envelope.Return is { } ret && session.Offer(ret),
                    "envid" when dsn => envelope.EnvelopeId is { } id && session.Offer(id),
                    "bytimerelative" when by => envelope.DeliverBySeconds is { } seconds && session.Offer(seconds.ToString(CultureInfo.InvariantCulture)),
                    "bytimeabsolute" when by => envelope.DeliverBySeconds is { } seconds && session.Offer(Absolute(x, seconds)),
                    "bymode" when by => envelope.DeliverBySeconds is not null && session.Offer(envelope.DeliverByReturn ? "return" : "notify"),
                    "bytrace" when by => envelope.DeliverBySeconds is not null && session.Offer(envelope.DeliverByTrace ? "trace" : ""),
                    _ => throw new SieveRunException($"the envelope has no part \"{part}\""),
                };
                if (decided) return true;
            }
            return false;
        }

        private bool Address(Execution x, MatchPlan.MatchSession session, string address)
        {
            if (session.IsCount)
            {
                session.Count(address.Length > 0 ? 1 : 0);
                return false;
            }
            // The null path is the empty string whatever part is asked for.
            if (address.Length == 0) return session.Offer("");
            // What is no path is not matched by anything (RFC 5228 section 5.4).
            if (EnvelopePath.Read(address) is not { } one) return false;
            return AddressParts.Of(one, addressPart, x.Settings.RecipientDelimiter) is { } text && session.Offer(text);
        }

        private string Absolute(Execution x, long seconds)
        {
            TimeSpan offset = x.Now.Offset;
            if (zone?.Eval(x) is { } text) offset = MailDate.ParseOffset(text) ?? throw new SieveRunException($"\"{text}\" is no time zone");
            return MailDate.FormatIso(x.Now.AddSeconds(Math.Clamp(seconds, -999_999_999, 999_999_999)).ToOffset(offset));
        }
    }
}
