using Posthorn.Core;
using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve.Commands;

/// <summary>RENAMESCRIPT; an active script stays active (RFC 5804 section 2.11).</summary>
/// <remarks><c>command-renamescript = "RENAMESCRIPT" SP old-sieve-name SP new-sieve-name</c></remarks>
internal sealed record RenameScript(string Old, string New) : IManageSieveCommand<RenameScript>
{
    public static RenameScript Parse(ref ArgumentReader args)
    {
        args.Space();
        string old = args.Text();
        args.Space();
        string name = args.Text();
        args.End();
        return new(old, name);
    }

    public async ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        if (Names.Read(Old, out ScriptName from) is { } problem) return problem;
        if (Names.Read(New, out ScriptName target) is { } wrong) return wrong;
        Result<Done> done = await session.Scripts.RenameAsync(session.Account, from, target, cancel);
        if (!done.TryGet(out _, out Refusal? refusal)) return Completion.From(refusal);
        session.NoteChange("rename", New);
        return Completion.Ok("Renamed");
    }
}
