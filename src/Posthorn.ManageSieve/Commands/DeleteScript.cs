using Posthorn.Core;
using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve.Commands;

/// <summary>DELETESCRIPT; the active script stays (RFC 5804 section 2.10).</summary>
/// <remarks><c>command-deletescript = "DELETESCRIPT" SP sieve-name</c></remarks>
internal sealed record DeleteScript(string Name) : IManageSieveCommand<DeleteScript>
{
    public static DeleteScript Parse(ref ArgumentReader args)
    {
        args.Space();
        string name = args.Text();
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        if (Names.Read(Name, out ScriptName name) is { } problem) return problem;
        Result<Done> done = await session.Scripts.DeleteAsync(session.Account, name, cancel);
        if (!done.TryGet(out _, out Refusal? refusal)) return Completion.From(refusal);
        session.NoteChange("delete", Name);
        return Completion.Ok("Deleted");
    }
}
