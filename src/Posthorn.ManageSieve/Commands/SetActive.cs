using Posthorn.Core;
using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve.Commands;

/// <summary>SETACTIVE: chooses the script that runs on delivery; the empty name chooses none (RFC 5804 section 2.8).</summary>
/// <remarks><c>command-setactive = "SETACTIVE" SP active-sieve-name</c></remarks>
internal sealed record SetActive(string Name) : IManageSieveCommand<SetActive>
{
    public static SetActive Parse(ref ArgumentReader args)
    {
        args.Space();
        string name = args.Text();
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        ScriptName? chosen = null;
        if (Name.Length > 0)
        {
            if (Names.Read(Name, out ScriptName name) is { } problem) return problem;
            chosen = name;
        }
        Result<Done> done = await session.Scripts.ActivateAsync(session.Account, chosen, cancel);
        if (!done.TryGet(out _, out Refusal? refusal)) return Completion.From(refusal);
        session.NoteChange("activate", Name);
        return Completion.Ok(chosen is null ? "No script is active" : "The script is active");
    }
}
