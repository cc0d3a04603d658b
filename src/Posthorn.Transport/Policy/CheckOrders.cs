using Posthorn.Core;

namespace Posthorn.Transport.Policy;

/// <summary>What checks have ordered for a message that is taken. The first order of a kind counts.</summary>
public sealed class CheckOrders
{
    private readonly List<string> _prepended = [];

    /// <summary>Why the message is to wait in the queue until an operator lets it go; null for not at all.</summary>
    public string? HoldReason { get; private set; }

    /// <summary>Why the message is to be taken and thrown away; null for not at all.</summary>
    public string? DiscardReason { get; private set; }

    /// <summary>The one recipient that gets the message instead of all others.</summary>
    public EmailAddress? RedirectTo { get; private set; }

    /// <summary>Fields that go before all others, each a line (perhaps folded) without its last line end; in the order in which they were given.</summary>
    public IReadOnlyList<string> Prepended => _prepended;

    /// <summary>Keeps the message in the queue until an operator lets it go (quarantine).</summary>
    public void Hold(string reason) => HoldReason ??= reason;

    /// <summary>Answers as if the message were taken, and throws it away.</summary>
    public void Discard(string reason) => DiscardReason ??= reason;

    /// <summary>Sends the message to this address alone.</summary>
    public void Redirect(EmailAddress recipient) => RedirectTo ??= recipient;

    /// <summary>Puts a field before all others.</summary>
    public void Prepend(string field) => _prepended.Add(field);

    /// <summary>Takes over what was ordered earlier for all messages.</summary>
    internal void Include(CheckOrders earlier)
    {
        HoldReason ??= earlier.HoldReason;
        DiscardReason ??= earlier.DiscardReason;
        RedirectTo ??= earlier.RedirectTo;
        _prepended.AddRange(earlier._prepended);
    }
}
