using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>duplicate (RFC 7352).</summary>
internal static class DuplicateTest
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("duplicate", CommandKind.Test, "duplicate", "vnd.dovecot.duplicate")
        {
            Tags =
            [
                new("handle", ArgumentKind.Text), new("header", ArgumentKind.Text, "id"), new("uniqueid", ArgumentKind.Text, "id"),
                new("seconds", ArgumentKind.Number), new("last"),
            ],
            BuildTest = b => new Duplicate(b.TagText("handle"), b.TagText("header"), b.TagText("uniqueid"), b.TagNumber("seconds"), b.Has("last")),
        },
    ];

    private sealed class Duplicate(TextExpr? handle, TextExpr? header, TextExpr? uniqueId, long? seconds, bool last) : Cond
    {
        protected override bool Test(Execution x)
        {
            if (seconds == 0) return false;
            string? id = uniqueId?.Eval(x);
            if (uniqueId is null)
            {
                string name = header?.Eval(x) ?? "Message-ID";
                HeaderField? field = x.Fields.Find(f => f.IsNamed(name));
                id = field?.Text;
            }
            if (string.IsNullOrEmpty(id)) return false;
            TimeSpan period = seconds is { } s ? TimeSpan.FromSeconds(Math.Min(s, (long)x.Settings.DuplicateMaxPeriod.TotalSeconds)) : x.Settings.DuplicateDefaultPeriod;
            string handleName = handle?.Eval(x) ?? "";
            bool seen = x.Asks(new SieveQuestion.WasSeen(handleName, id));
            // What was seen keeps its first moment, unless :last moves it on (RFC 7352 section 3.3).
            if (!seen || last) x.Result.Saw(new(handleName, id, period, last));
            return seen;
        }
    }
}
