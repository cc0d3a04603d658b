using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>ihave and error (RFC 5463).</summary>
internal static class IhaveCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("ihave", CommandKind.Test, "ihave")
        {
            Parameters = [new("capabilities", ArgumentKind.TextList)],
            BuildTest = b =>
            {
                if (b.List("capabilities").Constant is { } names)
                {
                    foreach (string name in names) b.Compiler.CheckMeeting(name, b.ParameterAt("capabilities"));
                    return new Ihave([.. names]);
                }
                b.Error(b.ParameterAt("capabilities"), "the capabilities of 'ihave' must not hold variables");
                return null;
            },
        },
        new("error", CommandKind.Control, "ihave")
        {
            Parameters = [new("message", ArgumentKind.Text)],
            Build = b => new ControlOps.Error(b.Text("message")),
        },
    ];

    private sealed class Ihave(string[] names) : Cond
    {
        protected override bool Test(Execution x)
        {
            foreach (string name in names)
            {
                if (x.Frame.Script.Required.Contains(name)) continue;
                if (!Extensions.IsKnown(name) || x.Settings.Disabled.Contains(name) || Extensions.IsGrammatical(name)) return false;
            }
            foreach (string name in names) (x.Frame.Found ??= new(StringComparer.Ordinal)).Add(name);
            return true;
        }
    }
}
