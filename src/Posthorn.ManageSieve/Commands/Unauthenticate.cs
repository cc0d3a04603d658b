using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Commands;

/// <summary>UNAUTHENTICATE: back to the state before login; TLS stays (RFC 5804 section 2.14.1).</summary>
internal sealed record Unauthenticate : IManageSieveCommand<Unauthenticate>
{
    public static Unauthenticate Parse(ref ArgumentReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel)
    {
        session.Leave();
        return new(Completion.Ok("Nobody is logged in"));
    }
}
