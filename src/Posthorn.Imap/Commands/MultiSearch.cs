using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>ESEARCH: searches several mailboxes at once (RFC 7377). Answers name UIDs.</summary>
/// <remarks><c>esearch = "ESEARCH" [SP "IN" SP "(" source-mbox ")"] [SP search-return-opts] SP search-program</c>, <c>source-mbox = filter-mailboxes *(SP filter-mailboxes)</c></remarks>
internal sealed record MultiSearch(IReadOnlyList<MailboxFilter> Sources, SearchReturn Return, SearchKey Key, SearchTraits Traits) : IImapCommand<MultiSearch>, ISearches
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
        SearchKey key = SearchGrammar.ParseProgram(ref args, out SearchTraits traits);
        wanted.CheckRelevancy(ref args, traits);
        // RFC 7377 section 2.2: the saved result speaks of the selected mailbox.
        if (wanted.Has(SearchOptions.Save) && sources.Exists(source => !source.IsOfSelected)) args.Fail("SAVE with the selected mailbox alone");
        return new(sources, wanted, key, traits);
    }

    private bool WantsSelected => Sources.Count == 0 || Sources.Any(source => source.IsOfSelected);

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if ((WantsSelected || Return.Has(SearchOptions.Update)) && !session.HasSelected) return Completion.Bad("Select a mailbox first");
        if (Return.IsTagTaken(session)) return SearchReturn.TagTaken;
        if (Traits.HasFlag(SearchTraits.ModSeq)) session.EnableCondstore();
        string? limited = null;
        if (WantsSelected) limited = await SearchAsync(session, session.Selected, session.Selected.Info.Name, cancel);
        foreach (MailboxInfo info in await CandidatesAsync(session, cancel))
        {
            bool selected = session.HasSelected && info.Id == session.Selected.Id;
            if (info.Id is null || !info.Rights.HasFlag(MailboxRights.Read) || selected && WantsSelected) continue;
            if (!Sources.Any(source => source.Matches(info, session.Store.Separator))) continue;
            limited = (selected ? await SearchAsync(session, session.Selected, info.Name, cancel) : await SearchOtherAsync(session, info, cancel)) ?? limited;
            await session.FlushIfLargeAsync(cancel);
        }

        return limited is null ? Completion.Ok("Searched") : Completion.Ok(limited, "Searched as far as one command goes");
    }

    // Whoever names a mailbox needs no right to see it in lists (RFC 7377 section 2.2).
    private async ValueTask<IReadOnlyList<MailboxInfo>> CandidatesAsync(ImapSession session, CancellationToken cancel)
    {
        if (Sources.All(source => source.IsOfSelected)) return [];
        IReadOnlyList<MailboxInfo> listed = await session.Store.ListAsync(cancel);
        HashSet<MailboxName> named = [.. Sources.Where(source => source.Kind == FilterKind.Mailboxes).SelectMany(source => source.Names)];
        named.ExceptWith(listed.Select(info => info.Name));
        List<MailboxInfo> unlisted = [];
        foreach (MailboxName name in named)
            if (await session.Store.FindAsync(name, cancel) is { } info) unlisted.Add(info);
        return [.. listed, .. unlisted];
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
        SearchRun run = new(session, box, isPart: true);
        List<int> found = await run.FindAsync(Key, cancel);
        if (found.Count > 0) Return.Write(session, box, found, Numbering.Uid, Traits.HasFlag(SearchTraits.ModSeq), name);
        if (!session.HasSelected || !ReferenceEquals(box, session.Selected)) return run.Limited;
        // UPDATE and SAVE are of the selected mailbox alone (RFC 7377 section 2.2).
        Return.Watch(session, Numbering.Uid, Key, null, run.UidsOf(found), name);
        if (Return.Has(SearchOptions.Save)) session.SavedResult = run.UidsOf(Return.Saved(found));
        return run.Limited;
    }
}
