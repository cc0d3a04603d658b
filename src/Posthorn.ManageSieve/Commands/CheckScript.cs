using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Commands;

/// <summary>CHECKSCRIPT: says what is wrong with a script, storing nothing and looking at no quota (RFC 5804 section 2.12).</summary>
/// <remarks><c>command-checkscript = "CHECKSCRIPT" SP sieve-script</c></remarks>
internal sealed record CheckScript(byte[] Script) : IManageSieveCommand<CheckScript>
{
    public static CheckScript Parse(ref ArgumentReader args)
    {
        args.Space();
        byte[] script = args.Octets();
        args.End();
        return new(script);
    }

    public ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel) => ScriptCheck.RunAsync(session, Script, cancel);
}
