using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Testing.Stores;

/// <summary>The annotations of one account. Its owner's lock guards changes.</summary>
internal sealed class MemoryAnnotations
{
    private readonly Lock _gate = new();
    private readonly List<Annotation> _all = [];

    internal IReadOnlyList<Annotation> Of(MailboxId? mailbox)
    {
        lock (_gate) return [.. _all.Where(each => each.Mailbox == mailbox && each.Value is not null).OrderBy(each => each.Entry, StringComparer.Ordinal).Select(each => each with { Changed = default })];
    }

    internal IReadOnlyList<Annotation> Since(ModSeq since)
    {
        lock (_gate) return [.. _all.Where(each => each.Changed > since).OrderBy(each => each.Entry, StringComparer.Ordinal)];
    }

    internal void Put(Annotation annotation)
    {
        lock (_gate)
        {
            _all.RemoveAll(each => each.Mailbox == annotation.Mailbox && each.User == annotation.User && each.Entry == annotation.Entry);
            _all.Add(annotation);
        }
    }

    internal void Remove(MailboxId mailbox)
    {
        lock (_gate) _all.RemoveAll(each => each.Mailbox == mailbox);
    }
}
