using System.Text;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>CANCELUPDATE: no more word of these searches (RFC 5267 section 4.3.5).</summary>
/// <remarks><c>cancelupdate = "CANCELUPDATE" 1*(SP quoted)</c></remarks>
internal sealed record CancelUpdate(IReadOnlyList<string> Tags) : IImapCommand<CancelUpdate>
{
    private const int MaxTags = 100; // several times what one session can have

    public static CancelUpdate Parse(ref ImapReader args)
    {
        List<string> tags = [];
        do
        {
            args.Space();
            tags.Add(Encoding.Latin1.GetString(args.AString()));
            if (tags.Count > MaxTags) args.Fail("fewer tags");
        }
        while (args.Next == (byte)' ' && args.Second is not (0 or (byte)' '));
        args.End();
        return new(tags);
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        foreach (string tag in Tags) session.Contexts.Remove(tag);
        return new(Completion.Ok("No further updates"));
    }
}
