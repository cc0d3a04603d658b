using Posthorn.Core;
using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve.Commands;

/// <summary>GETSCRIPT: a script's text, octet by octet as it was put (RFC 5804 section 2.9).</summary>
/// <remarks><c>command-getscript = "GETSCRIPT" SP sieve-name</c></remarks>
internal sealed record GetScript(string Name) : IManageSieveCommand<GetScript>
{
    public static GetScript Parse(ref ArgumentReader args)
    {
        args.Space();
        string name = args.Text();
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        if (Names.Read(Name, out ScriptName name) is { } problem) return problem;
        Result<StoredScript> found = await session.Scripts.GetAsync(session.Account, name, cancel);
        if (!found.TryGet(out StoredScript? script, out Refusal? refusal)) return Completion.From(refusal);
        session.Out.Content(script.Content.Span);
        return Completion.Ok("That is all");
    }
}
