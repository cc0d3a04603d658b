using Posthorn.Core;
using Posthorn.Imap.Commands;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Session;

/// <summary>Tells a client that has said ENABLE METADATA which annotations others have changed (RFC 5464 section 4.4.2), in its own account and in those of others that it has to do with.</summary>
internal sealed class MetadataNews
{
    private readonly ImapSession _session;
    private readonly HashSet<(MailboxId?, ModSeq)> _own = [];
    private readonly Dictionary<EmailAddress, ModSeq> _told = [];
    private long _seen;

    public MetadataNews(ImapSession session)
    {
        _session = session;
        _seen = session.Store.ChangeNumber;
        foreach (IMailStore store in session.Store.Opened) _told[store.Account.Address] = store.HighestModSeq;
    }

    /// <summary>Of which mailboxes (null is the server) the client wants to hear; null for all.</summary>
    public Func<MailboxInfo?, bool>? Wanted { get; set; }

    /// <summary>The client did this itself and need not hear of it.</summary>
    public void Own(MailboxId? mailbox, ModSeq change) => _own.Add((mailbox, change));

    /// <summary>Says what is new.</summary>
    public async ValueTask TellAsync(CancellationToken cancel)
    {
        long now = _session.Store.ChangeNumber;
        if (now == _seen) return;
        _seen = now;
        foreach (IMailStore store in _session.Store.Opened)
        {
            // An account that was opened just now has nothing old to tell.
            if (_told.TryAdd(store.Account.Address, store.HighestModSeq)) continue;
            IReadOnlyList<Annotation> changed = await store.AnnotationsSinceAsync(_told[store.Account.Address], cancel);
            await TellAsync(store, changed, cancel);
            if (changed.Count > 0) _told[store.Account.Address] = changed.Max(each => each.Changed);
        }

        _own.Clear();
    }

    /// <summary>Completes when something in these accounts is new.</summary>
    public ValueTask WaitAsync(CancellationToken cancel) => _session.Store.WaitForChangeAsync(_seen, cancel);

    private async ValueTask TellAsync(IMailStore store, IReadOnlyList<Annotation> changed, CancellationToken cancel)
    {
        bool own = store.Account == _session.Account;
        foreach (IGrouping<MailboxId?, Annotation> group in changed.Where(each => IsNews(store, each)).GroupBy(each => each.Mailbox))
        {
            string name = "";
            if (group.Key is { } mailbox)
            {
                if (await _session.Store.FindAsync(store, mailbox, cancel) is not { } info || !MetadataEntry.IsOpenTo(info) || Wanted?.Invoke(info) == false) continue;
                name = info.Name.Value;
            }
            else if (!own || Wanted?.Invoke(null) == false) continue;

            Write(name, group.Select(each => each.Entry));
        }
    }

    private bool IsNews(IMailStore store, Annotation each) =>
        !_own.Contains((each.Mailbox is { } mailbox ? _session.Store.IdOf(store, mailbox) : null, each.Changed)) && each.User == MetadataEntry.UserOf(_session, each.Entry);

    private void Write(string mailbox, IEnumerable<string> entries)
    {
        ImapOutput output = _session.Out;
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
