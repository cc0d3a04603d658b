using Posthorn.Core;
using Posthorn.Imap.Commands;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Session;

/// <summary>Tells a client that has said ENABLE METADATA which annotations others have changed (RFC 5464 section 4.4.2).</summary>
internal sealed class MetadataNews(ImapSession session)
{
    private readonly HashSet<ModSeq> _own = [];
    private ModSeq _told = session.Store.HighestModSeq;
    private long _seen = session.Store.ChangeNumber;

    /// <summary>The client did this itself and need not hear of it.</summary>
    public void Own(ModSeq change) => _own.Add(change);

    /// <summary>Says what is new.</summary>
    public async ValueTask TellAsync(CancellationToken cancel)
    {
        long now = session.Store.ChangeNumber;
        if (now == _seen) return;
        _seen = now;
        IReadOnlyList<Annotation> changed = await session.Store.AnnotationsSinceAsync(_told, cancel);
        foreach (IGrouping<MailboxId?, Annotation> group in changed.Where(IsNews).GroupBy(each => each.Mailbox))
        {
            string name = "";
            if (group.Key is { } mailbox)
            {
                if (session.Store.Find(mailbox) is not { } info) continue;
                name = info.Name.Value;
            }

            Write(name, group.Select(each => each.Entry));
        }

        if (changed.Count > 0) _told = changed.Max(each => each.Changed);
        _own.RemoveWhere(each => each <= _told);
    }

    /// <summary>Completes when something in the account is new.</summary>
    public ValueTask WaitAsync(CancellationToken cancel) => session.Store.WaitForChangeAsync(_seen, cancel);

    private bool IsNews(Annotation each) => !_own.Contains(each.Changed) && each.User == MetadataEntry.UserOf(session, each.Entry);

    private void Write(string mailbox, IEnumerable<string> entries)
    {
        ImapOutput output = session.Out;
        output.Begin("METADATA "u8);
        output.Mailbox(mailbox);
        foreach (string entry in entries)
        {
            output.Raw(" "u8);
            MetadataEntry.WriteName(output, entry);
        }

        output.End();
    }
}
