using Posthorn.ManageSieve.Session;
using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Commands;

/// <summary>NOOP: says the given string again, so that a client knows where it is (RFC 5804 section 2.13).</summary>
/// <remarks><c>command-noop = "NOOP" [SP string]</c></remarks>
internal sealed record Noop(string? Tag) : IManageSieveCommand<Noop>
{
    public static Noop Parse(ref ArgumentReader args)
    {
        string? tag = args.TrySpace() ? args.Text() : null;
        args.End();
        return new(tag);
    }

    public ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel) =>
        new(Tag is null ? Completion.Ok("Done") : Completion.OkWith("TAG", Tag, "Done"));
}
