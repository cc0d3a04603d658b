using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>ESEARCH: searches several mailboxes at once (RFC 7377). Answers name UIDs.</summary>
/// <remarks><c>esearch = "ESEARCH" [SP "IN" SP "(" source-mbox ")"] [SP search-return-opts] SP search-program</c>, <c>source-mbox = filter-mailboxes *(SP filter-mailboxes)</c></remarks>
internal sealed record MultiSearch(IReadOnlyList<MailboxFilter> Sources, SearchReturn Return, SearchKey Key, bool UsesModSeq) : IImapCommand<MultiSearch>
{
    public static MultiSearch Parse(ref ImapReader args)
    {
        List<MailboxFilter> sources = [];
        args.Space();
        if (args.TryWord("IN"u8))
        {
            args.Space();
            args.Take((byte)'(');
            do
            {
                sources.Add(MailboxFilter.Parse(ref args, forSearch: true));
            }
            while (args.TrySpace());
            args.Take((byte)')');
            args.Space();
        }

        SearchReturn wanted = SearchReturn.ParseIfAny(ref args) ?? SearchReturn.All;
        SearchKey key = SearchGrammar.ParseProgram(ref args, out bool usesModSeq);
        if (wanted.Has(SearchOptions.Update)) args.Fail("UPDATE with SEARCH or SORT only");
        return new(sources, wanted, key, usesModSeq);
    }

    private bool WantsSelected => Sources.Count == 0 || Sources.Any(source => source.IsOfSelected);

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (WantsSelected && !session.HasSelected) return Completion.Bad("Select a mailbox first");
        if (UsesModSeq) session.EnableCondstore();
        string? limited = null;
        if (Return.Has(SearchOptions.Save)) session.SavedResult = [];
        if (WantsSelected) limited = await SearchAsync(session, session.Selected, session.Selected.Info.Name, cancel);
        foreach (MailboxInfo info in Sources.Count == 0 ? [] : await session.Store.ListAsync(cancel))
        {
            bool selected = session.HasSelected && info.Id == session.Selected.Id;
            if (info.Id is null || !info.Rights.HasFlag(MailboxRights.Read) || selected && WantsSelected) continue;
            if (!Sources.Any(source => source.Matches(info, session.Store.Separator))) continue;
            limited = await SearchOtherAsync(session, info, cancel) ?? limited;
            await session.FlushIfLargeAsync(cancel);
        }

        return limited is null ? Completion.Ok("Searched") : Completion.Ok(limited, "Searched as far as one command goes");
    }

    private async ValueTask<string?> SearchOtherAsync(ImapSession session, MailboxInfo info, CancellationToken cancel)
    {
        Result<IMailbox> opened = await session.Store.OpenMailboxAsync(info.Name, readOnly: true, cancel);
        if (!opened.IsOk) return null; // deleted just now
        await using SelectedMailbox box = new(opened.Value, isReadOnly: true);
        return await SearchAsync(session, box, info.Name, cancel);
    }

    // Mailboxes without a match are not spoken of, whatever was asked to be returned (RFC 7377 section 2.1).
    private async ValueTask<string?> SearchAsync(ImapSession session, SelectedMailbox box, MailboxName name, CancellationToken cancel)
    {
        SearchRun run = new(session, box);
        List<int> found = await run.FindAsync(Key, cancel);
        if (found.Count > 0) Return.Write(session, box, found, Numbering.Uid, UsesModSeq, name);
        if (Return.Has(SearchOptions.Save) && session.HasSelected && box.Id == session.Selected.Id) session.SavedResult = run.UidsOf(Return.Saved(found));
        return run.Limited;
    }
}
