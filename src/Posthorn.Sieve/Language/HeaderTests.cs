using System.Collections.Frozen;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>exists, header and address (RFC 5228 section 5) with index (RFC 5260 section 6) and mime (RFC 5703 section 4).</summary>
internal static class HeaderTests
{
    // The fields that hold addresses; address on others is an error (RFC 5228 section 5.1).
    private static readonly FrozenSet<string> AddressHeaders = new[]
    {
        "from", "to", "cc", "bcc", "sender", "reply-to", "resent-from", "resent-to", "resent-cc", "resent-bcc", "resent-sender", "resent-reply-to",
        "return-path", "delivered-to", "envelope-to", "envelope-from", "x-envelope-to", "x-envelope-from", "x-original-to", "x-delivered-to", "x-forwarded-to", "x-forwarded-for",
        "disposition-notification-to", "original-recipient", "original-from", "apparently-to", "errors-to", "return-receipt-to", "read-receipt-to", "x-confirm-reading-to",
        "mail-followup-to", "mail-reply-to", "followup-to", "for-approval", "for-handling", "for-comment", "approved", "x-admin", "x-beenthere", "x-complaints-to", "x-report-abuse-to",
        "abuse-reports-to", "registered-mail-reply-requested-by", "return-receipt-requested", "author", "x-sender", "x-original-from", "x-google-original-from", "x-loop",
        "list-post", "x-mailing-list", "mailing-list", "x-list-administrivia",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly TagSpec[] Mime = [new("mime", Extension: "mime"), new("anychild", Extension: "mime")];

    private static readonly TagSpec[] MimeOptions =
    [
        new("type", Group: "mime option", Extension: "mime"),
        new("subtype", Group: "mime option", Extension: "mime"),
        new("contenttype", Group: "mime option", Extension: "mime"),
        new("param", ArgumentKind.TextList, "mime option", "mime"),
    ];

    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("exists", CommandKind.Test)
        {
            Tags = Mime,
            Parameters = [new("header names", ArgumentKind.TextList)],
            BuildTest = b => CheckMime(b) ? new Exists(b.List("header names"), Scope(b)) : null,
        },
        new("header", CommandKind.Test)
        {
            Tags = [.. MatchArguments.TagsWithLists, .. MatchArguments.Index, .. Mime, .. MimeOptions],
            Parameters = [new("header names", ArgumentKind.TextList), new("keys", ArgumentKind.TextList)],
            BuildTest = BuildHeader,
        },
        new("address", CommandKind.Test)
        {
            Tags = [.. MatchArguments.TagsWithLists, .. MatchArguments.AddressPart, .. MatchArguments.Index, .. Mime],
            Parameters = [new("header names", ArgumentKind.TextList), new("keys", ArgumentKind.TextList)],
            BuildTest = BuildAddress,
        },
    ];

    private static bool CheckMime(Bound b)
    {
        foreach (string tag in (string[])["anychild", "type", "subtype", "contenttype", "param"])
        {
            if (!b.Has(tag) || b.Has("mime")) continue;
            b.Error(b.TagAt(tag), $"':{tag}' needs ':mime'");
            return false;
        }
        if (b.HasParameter("header names") && b.List("header names").Constant is { } names)
            foreach (string name in names)
                if (name.EndsWith(':')) b.Warn(b.ParameterAt("header names"), $"no header is named \"{name}\"", "leave out the colon");
        return true;
    }

    internal static bool CheckIndex(Bound b)
    {
        if (b.Has("last") && !b.Has("index"))
        {
            b.Error(b.TagAt("last"), "':last' needs ':index'");
            return false;
        }
        if (b.TagNumber("index") == 0)
        {
            b.Error(b.TagAt("index"), "':index' counts from 1");
            return false;
        }
        return true;
    }

    internal static FieldScope Scope(Bound b)
    {
        long index = Math.Min(b.TagNumber("index") ?? 0, int.MaxValue);
        return new(b.Has("mime"), b.Has("anychild"), (int)(b.Has("last") ? -index : index));
    }

    private static HeaderTest? BuildHeader(Bound b)
    {
        if (!CheckMime(b) || !CheckIndex(b) || MatchArguments.Plan(b) is not { } plan) return null;
        string? option = Array.Find((string[])["type", "subtype", "contenttype", "param"], b.Has);
        return new(plan, b.List("header names"), Scope(b), option, b.TagList("param"));
    }

    private static AddressTest? BuildAddress(Bound b)
    {
        if (!CheckMime(b) || !CheckIndex(b)) return null;
        if (b.List("header names").Constant is { } names && !b.Has("mime"))
            foreach (string name in names)
            {
                if (AddressHeaders.Contains(name)) continue;
                b.Error(b.ParameterAt("header names"), $"the header \"{name}\" holds no addresses", "'header' tests any field");
                return null;
            }
        return MatchArguments.Plan(b) is { } plan ? new(plan, b.List("header names"), Scope(b), AddressParts.Find(b)) : null;
    }

    private sealed class Exists(TextListExpr names, FieldScope scope) : Cond
    {
        protected override bool Test(Execution x)
        {
            foreach (string name in names.Eval(x))
            {
                bool found = false;
                foreach (List<HeaderField> fields in scope.Headers(x))
                    if (found = fields.Exists(f => f.IsNamed(name))) break;
                if (!found) return false;
            }
            return true;
        }
    }

    private sealed class HeaderTest(MatchPlan plan, TextListExpr names, FieldScope scope, string? option, TextListExpr? parameters) : MatchTest(plan)
    {
        protected override bool Feed(Execution x, MatchPlan.MatchSession session)
        {
            string[] wanted = names.Eval(x);
            if (scope.IsPlain && option is null)
            {
                foreach (string name in wanted)
                    foreach (HeaderField field in x.Fields)
                        if (field.IsNamed(name) && session.Offer(field.Text)) return true;
                return false;
            }
            string[] chosen = parameters?.Eval(x) ?? [];
            foreach (HeaderField field in scope.Fields(x, wanted))
                if (option is null ? session.Offer(field.Text) : Option(field, session, chosen)) return true;
            return false;
        }

        // RFC 5703 section 4.1: what does not apply to a field is the empty string, and counts not.
        private bool Option(HeaderField field, MatchPlan.MatchSession session, string[] chosen)
        {
            bool isType = field.IsNamed("Content-Type");
            bool isDisposition = field.IsNamed("Content-Disposition");
            MimeValue? value = MimeValue.Parse(field.Text);
            if (option == "param")
            {
                foreach (string name in chosen)
                    if (value?.Parameter(name) is { } parameter && session.Offer(parameter)) return true;
                return false;
            }
            string text = "";
            if (isType && value is { Subtype.Length: > 0 })
                text = option switch { "type" => value.Type, "subtype" => value.Subtype, _ => $"{value.Type}/{value.Subtype}" };
            else if (isDisposition && value is not null && option != "subtype") text = value.Type;
            return !(session.IsCount && text.Length == 0) && session.Offer(text);
        }
    }

    private sealed class AddressTest(MatchPlan plan, TextListExpr names, FieldScope scope, AddressPart part) : MatchTest(plan)
    {
        protected override bool Feed(Execution x, MatchPlan.MatchSession session)
        {
            foreach (HeaderField field in scope.Fields(x, names.Eval(x)))
            {
                bool anyGood = false;
                bool anyBad = false;
                foreach (ParsedAddress address in AddressParser.Parse(field.Unfolded))
                {
                    // A name without a domain is no address (RFC 5322 section 3.4.1); <> is none either, but is not wrong.
                    bool good = address is { IsValid: true, Domain.Length: > 0 };
                    anyBad |= !good && !(address.IsValid && address.LocalPart.Length == 0);
                    if (!good) continue;
                    anyGood = true;
                    if (session.IsCount) session.Count(1);
                    else if (AddressParts.Of(address, part, x.Settings.RecipientDelimiter) is { } text && session.Offer(text)) return true;
                }
                // What is no address at all can still be compared as a whole (RFC 5228 section 2.7.4), as Pigeonhole does it.
                if (anyBad && !anyGood && !session.IsCount && part == AddressPart.All && session.Offer(field.Unfolded)) return true;
            }
            return false;
        }
    }
}

/// <summary>Which header fields a test looks at: of the message, of the current part, or of all parts below it; all or one of them.</summary>
/// <param name="Index">From 1; negative from the end; 0 for all.</param>
internal readonly record struct FieldScope(bool IsMime, bool AnyChild, int Index)
{
    public bool IsPlain => !IsMime && Index == 0;

    public IEnumerable<List<HeaderField>> Headers(Execution x)
    {
        if (!IsMime) return [x.Fields];
        if (!AnyChild) return [x.View.FieldsOf(x.CurrentPart)];
        List<ISievePart> parts = [];
        PartLoop.Collect(x.CurrentPart, parts);
        return parts.Select(x.View.FieldsOf);
    }

    /// <summary>The fields in the order of the names; an index counts over all of them (RFC 5260 section 6).</summary>
    public List<HeaderField> Fields(Execution x, string[] names)
    {
        List<HeaderField> found = [];
        foreach (List<HeaderField> header in Headers(x))
        {
            int before = found.Count;
            foreach (string name in names)
                foreach (HeaderField field in header)
                    if (field.IsNamed(name)) found.Add(field);
            x.Budget.Spend(1 + header.Count / 4);
            if (Index != 0) One(found, before);
        }
        return found;
    }

    private void One(List<HeaderField> found, int before)
    {
        int count = found.Count - before;
        int at = Index > 0 ? Index - 1 : count + Index;
        HeaderField? chosen = at >= 0 && at < count ? found[before + at] : null;
        found.RemoveRange(before, count);
        if (chosen is not null) found.Add(chosen);
    }
}

internal enum AddressPart
{
    All,
    LocalPart,
    Domain,
    User,
    Detail,
}

/// <summary>The parts of addresses (RFC 5228 section 2.7.4, RFC 5233 section 4).</summary>
internal static class AddressParts
{
    public static AddressPart Find(Bound b) =>
        b.Has("localpart") ? AddressPart.LocalPart : b.Has("domain") ? AddressPart.Domain : b.Has("user") ? AddressPart.User : b.Has("detail") ? AddressPart.Detail : AddressPart.All;

    /// <summary>The part, or null when the address has none: then it matches nothing.</summary>
    public static string? Of(ParsedAddress address, AddressPart part, string delimiter)
    {
        if (!address.IsValid) return part == AddressPart.All ? address.Raw : null;
        if (part == AddressPart.All) return address.All;
        // <> in a header is the null path: it has no parts.
        if (address.LocalPart.Length == 0 && address.Domain.Length == 0) return null;
        if (part == AddressPart.Domain) return address.Domain;
        if (part == AddressPart.LocalPart || delimiter.Length == 0) return part == AddressPart.Detail ? null : address.LocalPart;
        // As Pigeonhole: the first delimiter parts user and detail; a name that begins with one has no detail.
        int at = address.LocalPart.AsSpan().IndexOfAny(delimiter);
        if (at < 0) return part == AddressPart.User ? address.LocalPart : null;
        return part == AddressPart.User ? address.LocalPart[..at] : address.LocalPart[(at + 1)..];
    }
}
