using System.Buffers;
using Posthorn.Core;
using Posthorn.Mime;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Search;

namespace Posthorn.Store.Engine;

/// <summary>Finds messages by their text: the word index says which may match, and those, with all that are not indexed yet, are read.</summary>
internal sealed class TextFinder(MaildirStoreOptions options, MailReader reader)
{
    /// <summary>Reading so few messages is quicker than asking the index.</summary>
    private const int FewMessages = 20;

    /// <summary>Envelopes looked at under one hold of the account's lock.</summary>
    private const int AtOnce = 128;

    /// <summary>Octets of a message that are read to look at its header, first and at most; a longer one is read with all of the message.</summary>
    private const int FirstOctets = 4 * 1024, HeaderOctets = 16 * 1024;

    internal async ValueTask<IReadOnlyList<Uid>> FindAsync(Account account, MailboxId mailbox, IReadOnlyList<Uid> candidates, TextCriterion criterion, IProgress<int>? done, CancellationToken cancel)
    {
        MessageSearch search = new(criterion, options.Mime);
        List<Uid> found = [];
        IReadOnlyList<Uid> possible = Possible(account, mailbox, candidates, criterion);
        done?.Report(candidates.Count - possible.Count);
        HashSet<Uid> certain = ByEnvelope(account, mailbox, possible, criterion, cancel);
        foreach (Uid uid in possible)
        {
            cancel.ThrowIfCancellationRequested();
            done?.Report(1);
            if (certain.Contains(uid))
            {
                found.Add(uid);
                continue;
            }

            Result<IMessageContent> opened = reader.Open(account, mailbox, uid);
            if (!opened.IsOk) continue;
            await using IMessageContent content = opened.Value;
            if (await MatchesAsync(content, search, criterion.Scope, cancel)) found.Add(uid);
        }

        return found;
    }

    // What is found in the envelope is found for certain; the others may have a second field, or one that the envelope shortened.
    private HashSet<Uid> ByEnvelope(Account account, MailboxId mailbox, IReadOnlyList<Uid> uids, TextCriterion criterion, CancellationToken cancel)
    {
        HashSet<Uid> found = [];
        // Blanks and control characters are the envelope's own: it unfolds lines.
        if (KeptFields.Of(criterion) is not { } field || criterion.Needle.AsSpan().ContainsAnyExceptInRange('!', '~')) return found;
        TextMatcher matcher = new(criterion.Needle);
        for (int start = 0; start < uids.Count; start += AtOnce)
        {
            cancel.ThrowIfCancellationRequested();
            foreach (MessageSummary summary in reader.Summaries(account, mailbox, uids, start, Math.Min(AtOnce, uids.Count - start), SummaryFields.Envelope))
                if (EnvelopeTexts.Holds(summary.Envelope.Span, field, matcher)) found.Add(summary.Uid);
        }

        return found;
    }

    private async ValueTask<bool> MatchesAsync(IMessageContent content, MessageSearch search, TextScope scope, CancellationToken cancel)
    {
        if (scope == TextScope.Header)
        {
            foreach (int most in (ReadOnlySpan<int>)[FirstOctets, HeaderOctets])
                if (Matches(content, search, most, isHeader: true) is { } known) return known;
        }

        using OctetHold room = await reader.WholeMessages.TakeAsync(content.Length, cancel);
        return Matches(content, search, content.Length) ?? false;
    }

    // Null when the header is longer than what is read of it.
    private static bool? Matches(IMessageContent content, MessageSearch search, long most, bool isHeader = false)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(checked((int)Math.Min(most, content.Length)));
        try
        {
            int length = MailReader.ReadAll(content, bytes.AsSpan(0, (int)Math.Min(most, content.Length)));
            if (!isHeader) return search.Matches(bytes.AsMemory(0, length));
            return bytes.AsSpan(0, length).IndexOf("\r\n\r\n"u8) is >= 0 and int blank ? search.Matches(bytes.AsMemory(0, blank + 4)) : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private IReadOnlyList<Uid> Possible(Account account, MailboxId mailbox, IReadOnlyList<Uid> candidates, TextCriterion criterion)
    {
        if (!options.WordIndex || candidates.Count <= FewMessages || account.Published(mailbox) is not { } box) return candidates;
        KeptField? field = KeptFields.Of(criterion);
        List<WordPiece> pieces = field is null ? WordPiece.Of(criterion.Needle) : [];
        if (field is null && pieces.Count == 0) return candidates;
        // The generation first: contents that are numbered anew must not be looked for in an index of the old ones.
        string generation = account.Read(catalogue => catalogue.Meta(MetaKey.Generation).Text);
        if (!account.Words.TryUse(make: false, index => index.Generation != generation ? null : field is { } kept ? index.FindIn(kept, criterion.Needle) : index.Find(pieces, criterion.Scope), out WordHits? hits) || hits is null) return candidates;
        HashSet<Uid> possible = account.Read(catalogue => catalogue.Contents.UidsWith(box.Id, hits.Contents, hits.UpTo));
        // Messages that were expunged under somebody's eyes are looked at themselves.
        possible.UnionWith(account.Mailboxes.GoneFrom(mailbox));
        return [.. candidates.Where(possible.Contains)];
    }
}
