using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve.Commands;

/// <summary>LISTSCRIPTS (RFC 5804 section 2.7).</summary>
internal sealed record ListScripts : IManageSieveCommand<ListScripts>
{
    public static ListScripts Parse(ref ArgumentReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        IReadOnlyList<ScriptInfo> scripts = await session.Scripts.ListAsync(session.Account, cancel);
        foreach (ScriptInfo script in scripts) session.Out.Script(script.Name.Value, script.IsActive);
        return Completion.Ok(scripts.Count == 1 ? "1 script" : $"{scripts.Count} scripts");
    }
}
