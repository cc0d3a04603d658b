using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>USER (RFC 1939 section 7). Whether there is such a user is not said before the password.</summary>
internal sealed record User(string Name) : IPop3Command<User>
{
    public static User Parse(ref Pop3Reader args)
    {
        string name = args.Text("a user name");
        args.End();
        return new(name);
    }

    public ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        if (!session.MayLogIn) return new(Reply.LoginNeedsTls);
        session.UserName = Name;
        return new(Reply.Ok("Send the password"));
    }
}
