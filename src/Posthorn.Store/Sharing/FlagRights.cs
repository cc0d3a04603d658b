using Posthorn.Core;

namespace Posthorn.Store.Sharing;

/// <summary>Which flags rights let somebody set or take away (RFC 4314 section 4).</summary>
public static class FlagRights
{
    private const SystemFlags Others = SystemFlags.Answered | SystemFlags.Flagged | SystemFlags.Draft;
    private const MailboxRights Every = MailboxRights.KeepSeen | MailboxRights.DeleteMessages | MailboxRights.Write;

    public static SystemFlags Flags(MailboxRights rights) =>
        (rights.HasFlag(MailboxRights.KeepSeen) ? SystemFlags.Seen : SystemFlags.None)
        | (rights.HasFlag(MailboxRights.DeleteMessages) ? SystemFlags.Deleted : SystemFlags.None)
        | (rights.HasFlag(MailboxRights.Write) ? Others : SystemFlags.None);

    /// <summary>Keywords go with the other flags.</summary>
    public static bool Keywords(MailboxRights rights) => rights.HasFlag(MailboxRights.Write);

    /// <summary>Every flag may be changed.</summary>
    public static bool AreWhole(MailboxRights rights) => (rights & Every) == Every;

    /// <summary>No flag may be changed.</summary>
    public static bool AreNone(MailboxRights rights) => (rights & Every) == MailboxRights.None;
}

/// <summary>Messages that go from one account's mailbox into another's, or into one that does not take all their flags.</summary>
/// <param name="From">Whose they are.</param>
/// <param name="Source">Where they lie.</param>
/// <param name="Uids">Which.</param>
/// <param name="Into">Whose they become.</param>
/// <param name="Target">The mailbox there.</param>
/// <param name="Rights">What the user may do in the target: flags beyond it are lost on the way.</param>
/// <param name="Move">They leave the source, in the same step.</param>
public sealed record Transfer(MailAccount From, MailboxId Source, IReadOnlyList<Uid> Uids, MailAccount Into, MailboxName Target, MailboxRights Rights, bool Move)
{
    /// <summary>Hears how many more of them are read.</summary>
    public IProgress<int>? Done { get; init; }
}
