using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>ENABLE (RFC 9051 section 6.3.1, RFC 5161). Unknown names are passed over.</summary>
internal sealed record Enable(IReadOnlyList<string> Names) : IImapCommand<Enable>
{
    private const int MaxNames = 50; // far more than there are extensions to enable

    public static Enable Parse(ref ImapReader args)
    {
        List<string> names = [];
        do
        {
            args.Space();
            string name = System.Text.Encoding.ASCII.GetString(args.Atom()).ToUpperInvariant();
            if (!names.Contains(name)) names.Add(name);
            if (names.Count > MaxNames) args.Fail("at most 50 names");
        }
        while (args.Next == (byte)' ' && args.Second is not (0 or (byte)' '));
        args.End();
        return new(names);
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        List<string> enabled = [];
        // Told is what this command has enabled, whatever the order: QRESYNC brings CONDSTORE with it (RFC 7162 section 3.2.3).
        ClientMode before = session.Mode;
        foreach (string name in Names)
        {
            if (With(before, name, session) == before) continue;
            session.Mode = With(session.Mode, name, session);
            enabled.Add(name == "IMAP4REV2" ? "IMAP4rev2" : name);
        }
        session.Out.Begin("ENABLED"u8);
        foreach (string name in enabled) session.Out.Raw(" " + name);
        session.Out.End();
        if (!before.Condstore && session.Mode.Condstore && session.HasSelected) session.Out.UntaggedOk($"HIGHESTMODSEQ {session.Selected.View.HighestModSeq}", "Highest");
        return new(Completion.Ok("Enabled"));
    }

    private static ClientMode With(ClientMode mode, string name, ImapSession session) => name switch
    {
        "IMAP4REV2" => mode with { Rev2 = true },
        "UTF8=ACCEPT" => mode with { Utf8Accept = true },
        "CONDSTORE" => mode with { Condstore = true },
        "QRESYNC" => mode with { Condstore = true, Qresync = true },
        "UIDONLY" when session.OffersUidOnly => mode with { UidOnly = true },
        "METADATA" => mode with { Metadata = true },
        _ => mode,
    };
}
