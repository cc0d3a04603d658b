using Posthorn.Sieve.Composing;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>reject and ereject (RFC 5429).</summary>
internal static class RejectCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } = [Spec("reject"), Spec("ereject")];

    private static CommandSpec Spec(string name) => new(name, CommandKind.Action, name)
    {
        Parameters = [new("reason", ArgumentKind.Text)],
        Build = b => new RejectOp(b.Text("reason"), b.Spec.Name == "ereject"),
    };

    private sealed class RejectOp(TextExpr reason, bool extended) : Op
    {
        public override Flow Run(Execution x)
        {
            if (x.Context.IsImapEvent) throw new SieveRunException("a message cannot be rejected when a script runs for an IMAP event");
            string text = reason.Eval(x);
            x.Result.Reject(new(text, extended, RejectReport.Compose(x, text)));
            return Flow.Next;
        }
    }
}
