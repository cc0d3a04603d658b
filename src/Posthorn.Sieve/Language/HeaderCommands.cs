using System.Text;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>addheader and deleteheader (RFC 5293).</summary>
internal static class HeaderCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("addheader", CommandKind.Action, "editheader")
        {
            Tags = [new("last")],
            Parameters = [new("field name", ArgumentKind.Text), new("value", ArgumentKind.Text)],
            Build = b => CheckName(b) && CheckValue(b) && CheckSize(b) ? new AddOp(b.Text("field name"), b.Text("value"), b.Has("last")) : null,
        },
        new("deleteheader", CommandKind.Action, "editheader")
        {
            Tags = [.. MatchArguments.Tags, new("index", ArgumentKind.Number), new("last")],
            Parameters = [new("field name", ArgumentKind.Text), new("keys", ArgumentKind.TextList, IsOptional: true)],
            Build = BuildDelete,
        },
    ];

    private static bool CheckName(Bound b)
    {
        if (b.Text("field name").Constant is not { } name || IsFieldName(name)) return true;
        b.Error(b.ParameterAt("field name"), $"the field name \"{name}\" is invalid", name.EndsWith(':') ? "leave out the colon" : null);
        return false;
    }

    private static bool CheckValue(Bound b)
    {
        if (b.Text("value").Constant is not { } value || IsValue(value)) return true;
        b.Error(b.ParameterAt("value"), BadValue(value));
        return false;
    }

    private static bool CheckSize(Bound b)
    {
        int max = b.Compiler.Settings.Limits.MaxHeaderSize;
        if (b.Text("value").Constant is not { } value || Encoding.UTF8.GetByteCount(value) <= max) return true;
        b.Error(b.ParameterAt("value"), $"the header field is larger than the {max} octets allowed");
        return false;
    }

    private static DeleteOp? BuildDelete(Bound b)
    {
        if (!CheckName(b) || !HeaderTests.CheckIndex(b)) return null;
        MatchPlan? plan = null;
        if (b.HasParameter("keys") && (plan = MatchArguments.Plan(b)) is null) return null;
        if (b.Text("field name").Constant is { } name && IsNeverDeleted(name))
            b.Warn(b.ParameterAt("field name"), $"the header {name} cannot be deleted; this does nothing");
        return new(b.Text("field name"), plan, HeaderTests.Scope(b));
    }

    /// <summary>ftext (RFC 5322 section 3.6.8).</summary>
    public static bool IsFieldName(string name) =>
        name.Length is > 0 and <= 998 && name.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0 && !name.Contains(':', StringComparison.Ordinal);

    // Other control characters are odd in a header, and legal (RFC 5322 section 4.1, obs-unstruct).
    private static bool IsValue(string value) => !value.Contains('\0', StringComparison.Ordinal) && SieveText.IsWellFormed(value);

    private static string BadValue(string value) => $"the value \"{SieveText.Truncate(value, 80)}\" is invalid in a header field: it must be UTF-8 without NUL";

    // RFC 5293 section 6, and section 5 of RFC 5703 for the fields that replace keeps.
    private static bool IsNeverDeleted(string name) =>
        name.Equals("Received", StringComparison.OrdinalIgnoreCase) || name.Equals("Auto-Submitted", StringComparison.OrdinalIgnoreCase)
        || name.Equals("Original-Subject", StringComparison.OrdinalIgnoreCase) || name.Equals("Original-From", StringComparison.OrdinalIgnoreCase);

    private static bool IsSubject(string name) => name.Equals("Subject", StringComparison.OrdinalIgnoreCase);

    private static SieveHeaderRule? Rule(Execution x, string name) => x.Settings.ProtectedHeaders.GetValueOrDefault(name.ToLowerInvariant());

    private static string ReadName(Execution x, TextExpr text)
    {
        string name = text.Eval(x);
        return IsFieldName(name) ? name : throw new SieveRunException($"the field name \"{name}\" is invalid");
    }

    private sealed class AddOp(TextExpr name, TextExpr value, bool last) : Op
    {
        public override Flow Run(Execution x)
        {
            string field = ReadName(x, name);
            string text = value.Eval(x);
            if (!IsValue(text)) throw new SieveRunException(BadValue(text));
            if (Encoding.UTF8.GetByteCount(text) > x.Limits.MaxHeaderSize)
                throw new SieveRunException($"the header field is larger than the {x.Limits.MaxHeaderSize} octets allowed", SieveFailure.Limit);
            // Subject must always be allowed (RFC 5293 section 6); what is not permitted is passed over without a word.
            if (!IsSubject(field) && Rule(x, field) is { ForbidAdd: true }) return Flow.Next;
            x.Budget.Spend(16);
            if (x.View.Fields.Count >= x.Limits.MaxHeaderFields) throw new SieveRunException("the message has too many header fields", SieveFailure.Limit);
            x.View.AddField(field, text, last);
            return Flow.Next;
        }
    }

    private sealed class DeleteOp(TextExpr name, MatchPlan? plan, FieldScope scope) : Op
    {
        public override Flow Run(Execution x)
        {
            string field = ReadName(x, name);
            if (IsNeverDeleted(field) || !IsSubject(field) && Rule(x, field) is { ForbidDelete: true }) return Flow.Next;
            List<HeaderField> fields = [.. x.View.Fields.Where(f => f.IsNamed(field))];
            if (scope.Index != 0)
            {
                int at = scope.Index > 0 ? scope.Index - 1 : fields.Count + scope.Index;
                fields = at >= 0 && at < fields.Count ? [fields[at]] : [];
            }
            if (plan is { Kind: MatchKind.Count })
            {
                // The count is of the fields that would go, all or none.
                MatchPlan.MatchSession session = new(plan, x);
                session.Count(fields.Count);
                if (!session.Finish()) return Flow.Next;
            }
            else if (plan is not null) fields.RemoveAll(f => !new MatchPlan.MatchSession(plan, x).Offer(f.Text));
            if (fields.Count > 0)
            {
                HashSet<HeaderField> gone = [.. fields];
                x.View.RemoveFields(gone.Contains);
            }
            return Flow.Next;
        }
    }
}
