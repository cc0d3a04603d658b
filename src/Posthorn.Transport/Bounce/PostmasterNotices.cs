using Posthorn.Core;
using Posthorn.Directory;

namespace Posthorn.Transport.Bounce;

/// <summary>Says which mail without a sender the postmaster hears of when it cannot be delivered: so many times an hour, and never of such word itself.</summary>
/// <remarks>Locking: one lock over its counts.</remarks>
internal sealed class PostmasterNotices(IDirectory directory, TimeProvider time, Func<DoubleBounceOptions?> options)
{
    /// <summary>Of whom such word comes. It reaches the disk.</summary>
    public const string Origin = "double-bounces";

    private readonly Lock _gate = new();
    private DateTimeOffset _hour;
    private int _told;
    private int _untold;

    /// <summary>Not word to the postmaster itself, nor an answer that a script of ours gave (RFC 5230 section 4.6): nobody waits for those.</summary>
    public static bool IsOfInterest(Report report) =>
        report.About.Origin != Origin && !(report.About is { From.IsNull: true, IsOfAccount: true } && report.Recipients.All(one => one.Recipient.Notify.HasFlag(DsnNotify.Never)));

    /// <summary>Whom to tell and what of the others; null when nobody is told this time.</summary>
    public PostmasterNotice? Next(Report report, SmtpReply? refused)
    {
        if (options() is not { } wanted) return null;
        if ((wanted.To ?? Postmaster()) is not { } to || refused is not null && report.About.From.Address == to) return null;
        DateTimeOffset now = time.GetUtcNow();
        lock (_gate)
        {
            if (now - _hour >= TimeSpan.FromHours(1)) (_hour, _told) = (now, 0);
            if (_told >= wanted.PerHour)
            {
                _untold++;
                return null;
            }
            _told++;
            PostmasterNotice notice = new(to, refused, _untold);
            _untold = 0;
            return notice;
        }
    }

    private EmailAddress? Postmaster() =>
        directory.IsLocalDomain(directory.DefaultDomain) && EmailAddress.TryCreate("postmaster", directory.DefaultDomain, out EmailAddress postmaster) ? postmaster : null;
}
