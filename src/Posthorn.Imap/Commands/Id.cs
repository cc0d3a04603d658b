using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>ID: who is there (RFC 2971). What the client says of itself goes into the log only.</summary>
/// <remarks><c>id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)</c></remarks>
internal sealed record Id(string Client) : IImapCommand<Id>
{
    /// <summary>RFC 2971 section 3.3: no more than 30 pairs, values of at most 1,024 octets.</summary>
    private const int MaxPairs = 30;

    public static Id Parse(ref ImapReader args)
    {
        args.Space();
        string name = "", version = "";
        if (args.TryWord("NIL"u8) || !args.TryTake((byte)'('))
        {
            args.End();
            return new("");
        }
        for (int pairs = 0; !args.Failed && !args.TryTake((byte)')'); pairs++)
        {
            if (pairs > 0) args.Space();
            if (pairs == MaxPairs) args.Fail("at most 30 pairs");
            ReadOnlySpan<byte> field = args.String();
            args.Space();
            string value = args.NString(out ReadOnlySpan<byte> text) ? ImapReader.Text(text) : "";
            if (System.Text.Ascii.EqualsIgnoreCase(field, "name"u8)) name = value;
            else if (System.Text.Ascii.EqualsIgnoreCase(field, "version"u8)) version = value;
        }
        args.End();
        return new($"{name} {version}".Trim());
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        session.ClientName = Client;
        if (Client.Length > 0)
        {
            string plain = string.Concat(Client.Where(c => !char.IsControl(c)).Take(100));
            session.Log.ClientIdentified(session.Connection.Session, session.Account?.ToString() ?? "", plain);
        }
        session.Out.Begin("ID (\"name\" \"Posthorn\")"u8);
        session.Out.End();
        return new(Completion.Ok("Pleased to meet you"));
    }
}
