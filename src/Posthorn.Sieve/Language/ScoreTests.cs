using System.Globalization;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>spamtest and virustest (RFC 5235): a checker's header field on a scale of its own, told on Sieve's scale.</summary>
internal static class ScoreTests
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("spamtest", CommandKind.Test, "spamtest", "spamtestplus")
        {
            Tags = [.. MatchArguments.Tags, new("percent", Extension: "spamtestplus")],
            Parameters = [new("keys", ArgumentKind.Text)],
            BuildTest = b => MatchArguments.Plan(b) is { } plan ? new Score(plan, true, b.Has("percent")) : null,
        },
        new("virustest", CommandKind.Test, "virustest")
        {
            Tags = MatchArguments.Tags,
            Parameters = [new("keys", ArgumentKind.Text)],
            BuildTest = b => MatchArguments.Plan(b) is { } plan ? new Score(plan, false, false) : null,
        },
    ];

    private sealed class Score(MatchPlan plan, bool spam, bool percent) : MatchTest(plan)
    {
        protected override bool Feed(Execution x, MatchPlan.MatchSession session)
        {
            int? value = Read(x, spam ? x.Settings.SpamTest : x.Settings.VirusTest);
            if (session.IsCount)
            {
                if (value is not null) session.Count(1);
                return false;
            }
            return session.Offer((value ?? 0).ToString(CultureInfo.InvariantCulture));
        }

        // The value on the test's scale, or null when no check was made or can be understood.
        private int? Read(Execution x, SieveScoreSettings settings)
        {
            if (settings.StatusHeader.Length == 0 || Field(x, settings.StatusHeader, settings.StatusPattern) is not { } status) return null;
            int top = spam ? 10 : 5;
            if (settings.Kind == SieveScoreKind.Text)
            {
                foreach ((int value, string text) in settings.TextValues.OrderByDescending(t => t.Key))
                    if (text == status) return percent ? (int)Math.Ceiling(value * 100.0 / top) : value;
                return null;
            }
            double? max = settings.MaxValue;
            if (settings.MaxHeader is { Length: > 0 } header)
            {
                if (Field(x, header, settings.MaxPattern) is not { } text || Number(text) is not { } found) return null;
                max = found;
            }
            double? score = settings.Kind == SieveScoreKind.Length ? status.Trim().Length : Number(status);
            if (score is not { } points || max is not > 0) return null;
            double ratio = Math.Clamp(points / max.Value, 0, 1);
            if (percent) return (int)Math.Round(ratio * 100, MidpointRounding.AwayFromZero);
            return spam ? (int)(ratio * 9 + 1.0000001) : (int)(ratio * 4 + 1.0000001);
        }

        private static string? Field(Execution x, string name, string? pattern)
        {
            if (x.View.First(name) is not { } field) return null;
            if (string.IsNullOrEmpty(pattern)) return field.Text;
            if (PosixRegex.TryCompile(pattern, true, x.Limits.MaxRegexStates, out string? error) is not { } regex)
            {
                x.Note($"the pattern for the header {name} cannot be read: {error}");
                return null;
            }
            List<string> captures = [];
            if (!regex.IsMatch(field.Text, captures, x.Budget)) return null;
            return captures.Count > 1 ? captures[1] : captures[0];
        }

        private static double? Number(string text) =>
            double.TryParse(text.Trim(), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) ? value : null;
    }
}
