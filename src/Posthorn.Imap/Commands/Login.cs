using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>LOGIN (RFC 9051 section 6.2.3).</summary>
/// <remarks><c>login = "LOGIN" SP userid SP password</c>, both astring</remarks>
internal sealed record Login(string User, ReadOnlyMemory<byte> Password) : IImapCommand<Login>
{
    public static Login Parse(ref ImapReader args)
    {
        args.Space();
        string user = ImapReader.Text(args.AString());
        args.Space();
        byte[] password = args.AString().ToArray();
        args.End();
        return new(user, password);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (!session.MayLogIn) return await session.RefuseLoginAsync(User, Directory.DenialKind.NotSecure, cancel);
        Directory.AuthOutcome outcome = await session.Services.Directory.AuthenticateAsync(new(User, Password, session.LoginContext), cancel);
        return outcome switch
        {
            Directory.AuthOutcome.Success success => await LoggedInAsync(session, success.Account, "LOGIN", success.Form.ToString(), cancel),
            Directory.AuthOutcome.Denied denied => await session.RefuseLoginAsync(User, denied.Kind, cancel),
            Directory.AuthOutcome.Temporary temporary => Completion.No("UNAVAILABLE", temporary.Text),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    /// <summary>Takes the account in and says what can be done now in the answer itself (trap 26).</summary>
    public static async ValueTask<Completion> LoggedInAsync(ImapSession session, MailAccount account, string mechanism, string form, CancellationToken cancel) =>
        await session.EnterAsync(account, mechanism, form, cancel) ?? Completion.Ok($"CAPABILITY {Capabilities.Of(session)}", "Logged in");

    public override string ToString() => nameof(Login); // never the password
}
