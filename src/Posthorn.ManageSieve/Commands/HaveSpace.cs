using Posthorn.Core;
using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve.Commands;

/// <summary>HAVESPACE: could a script of this size be put now (RFC 5804 section 2.5)?</summary>
/// <remarks><c>command-havespace = "HAVESPACE" SP sieve-name SP number</c></remarks>
internal sealed record HaveSpace(string Name, uint Octets) : IManageSieveCommand<HaveSpace>
{
    public static HaveSpace Parse(ref ArgumentReader args)
    {
        args.Space();
        string name = args.Text();
        args.Space();
        uint octets = args.Number();
        args.End();
        return new(name, octets);
    }

    public async ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        if (Names.Read(Name, out ScriptName name) is { } problem) return problem;
        Result<Done> room = await session.Scripts.HasRoomAsync(session.Account, name, Octets, cancel);
        return room.TryGet(out _, out Refusal? refusal) ? Completion.Ok("There is room") : Completion.From(refusal);
    }
}
