using Posthorn.Directory;
using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>PASS (RFC 1939 section 7). The password is all that stands behind the first space.</summary>
internal sealed record Pass(ReadOnlyMemory<byte> Password) : IPop3Command<Pass>
{
    public static Pass Parse(ref Pop3Reader args) => new(args.Rest("a password"));

    public async ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        if (session.UserName is not { } user) return Reply.Error("", "Say USER first");
        session.UserName = null;
        if (!session.MayLogIn) return Reply.LoginNeedsTls;
        AuthOutcome outcome = await session.Services.Directory.AuthenticateAsync(new(user, Password, session.LoginContext), cancel);
        return outcome is AuthOutcome.Success success
            ? await session.EnterAsync(success.Account, "USER", cancel)
            : await session.RefuseLoginAsync(user, outcome, cancel);
    }

    public override string ToString() => nameof(Pass); // never the password
}
