using System.Globalization;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>date and currentdate (RFC 5260).</summary>
internal static class DateTests
{
    private static readonly string[] Parts =
        ["year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone", "weekday"];

    private static readonly TagSpec Zone = new("zone", ArgumentKind.Text, "zone");

    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("date", CommandKind.Test, "date")
        {
            Tags = [.. MatchArguments.TagsWithLists, .. MatchArguments.Index, Zone, new("originalzone", Group: "zone")],
            Parameters = [new("header name", ArgumentKind.Text), new("date part", ArgumentKind.Text), new("keys", ArgumentKind.TextList)],
            BuildTest = b => Check(b) && HeaderTests.CheckIndex(b) && MatchArguments.Plan(b) is { } plan
                ? new DateTest(plan, b.Text("header name"), b.Text("date part"), HeaderTests.Scope(b), b.TagText("zone"), b.Has("originalzone"))
                : null,
        },
        new("currentdate", CommandKind.Test, "date")
        {
            Tags = [.. MatchArguments.TagsWithLists, Zone],
            Parameters = [new("date part", ArgumentKind.Text), new("keys", ArgumentKind.TextList)],
            BuildTest = b => Check(b) && MatchArguments.Plan(b) is { } plan ? new DateTest(plan, null, b.Text("date part"), default, b.TagText("zone"), false) : null,
        },
    ];

    private static bool Check(Bound b)
    {
        if (b.Text("date part").Constant is { } part && !Array.Exists(Parts, p => p.Equals(part, StringComparison.OrdinalIgnoreCase)))
        {
            string? near = Checking.Compiler.Suggest(part, Parts);
            b.Warn(b.ParameterAt("date part"), $"a date has no part \"{part}\"; the test never holds", near is null ? string.Join(", ", Parts) : $"did you mean \"{near}\"?");
        }
        if (b.TagText("zone")?.Constant is { } zone && MailDate.ParseOffset(zone) is null)
        {
            b.Error(b.TagAt("zone"), $"\"{zone}\" is no time zone", "for example \"+0100\"");
            return false;
        }
        return true;
    }

    private sealed class DateTest(MatchPlan plan, TextExpr? header, TextExpr part, FieldScope scope, TextExpr? zone, bool originalZone) : MatchTest(plan)
    {
        protected override bool Feed(Execution x, MatchPlan.MatchSession session)
        {
            DateTimeOffset date = x.Now;
            if (header is not null)
            {
                string name = header.Eval(x);
                List<HeaderField> fields = scope.Fields(x, [name]);
                if (fields.Count == 0 || MailDate.Parse(fields[0].Unfolded) is not { } found) return false;
                date = found;
            }
            try
            {
                if (zone?.Eval(x) is { } text)
                    date = date.ToOffset(MailDate.ParseOffset(text) ?? throw new SieveRunException($"\"{text}\" is no time zone"));
                else if (!originalZone && header is not null)
                    date = TimeZoneInfo.ConvertTime(date, x.Context.Time.LocalTimeZone);
            }
            catch (ArgumentOutOfRangeException)
            {
                return false; // the very first or last day that there is
            }
            return Value(date, part.Eval(x)) is { } value && session.Offer(value);
        }

        private static string? Value(DateTimeOffset date, string part) => part.ToLowerInvariant() switch
        {
            "year" => date.ToString("yyyy", CultureInfo.InvariantCulture),
            "month" => date.ToString("MM", CultureInfo.InvariantCulture),
            "day" => date.ToString("dd", CultureInfo.InvariantCulture),
            "date" => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            "julian" => (date.Date - new DateTime(1858, 11, 17)).Days.ToString(CultureInfo.InvariantCulture),
            "hour" => date.ToString("HH", CultureInfo.InvariantCulture),
            "minute" => date.ToString("mm", CultureInfo.InvariantCulture),
            "second" => date.ToString("ss", CultureInfo.InvariantCulture),
            "time" => date.ToString("HH:mm:ss", CultureInfo.InvariantCulture),
            "iso8601" => MailDate.FormatIso(date),
            "std11" => MailDate.Format(date),
            "zone" => MailDate.FormatOffset(date.Offset),
            "weekday" => ((int)date.DayOfWeek).ToString(CultureInfo.InvariantCulture),
            _ => null,
        };
    }
}
