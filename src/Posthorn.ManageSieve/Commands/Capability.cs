using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Commands;

/// <summary>CAPABILITY (RFC 5804 section 2.4).</summary>
internal sealed record Capability : IManageSieveCommand<Capability>
{
    public static Capability Parse(ref ArgumentReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        Capabilities.Write(session);
        return new(Completion.Ok("These can be done now"));
    }
}
