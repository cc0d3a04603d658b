using Posthorn.Core;
using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve.Commands;

/// <summary>PUTSCRIPT: stores a script that is good, or says all that is wrong with it (RFC 5804 section 2.6).</summary>
/// <remarks><c>command-putscript = "PUTSCRIPT" SP sieve-name SP sieve-script</c></remarks>
internal sealed record PutScript(string Name, byte[] Script) : IManageSieveCommand<PutScript>
{
    public static PutScript Parse(ref ArgumentReader args)
    {
        args.Space();
        string name = args.Text();
        args.Space();
        byte[] script = args.Octets();
        args.End();
        return new(name, script);
    }

    public async ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        if (Names.Read(Name, out ScriptName name) is { } problem) return problem;
        // Whether there is room comes first: the quota is what the client must be able to tell from other refusals.
        Result<Done> room = await session.Scripts.HasRoomAsync(session.Account, name, Script.Length, cancel);
        if (!room.TryGet(out _, out Refusal? full)) return Completion.From(full);
        Completion check = await ScriptCheck.RunAsync(session, Script, cancel);
        if (!check.IsOk) return check;
        Result<Done> put = await session.Scripts.PutAsync(session.Account, name, Script, cancel);
        if (!put.TryGet(out _, out Refusal? refusal)) return Completion.From(refusal);
        session.NoteChange("put", Name);
        return check.Code is null ? Completion.Ok("Stored") : check;
    }
}
