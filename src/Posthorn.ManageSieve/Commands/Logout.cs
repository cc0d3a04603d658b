using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Commands;

/// <summary>LOGOUT (RFC 5804 section 2.3).</summary>
internal sealed record Logout : IManageSieveCommand<Logout>
{
    public static Logout Parse(ref ArgumentReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        session.EndAfterThis();
        return new(Completion.Ok("Goodbye"));
    }
}
