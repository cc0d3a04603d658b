using Posthorn.Core;

namespace Posthorn.Transport.Accept;

/// <summary>Every reply that the transport gives to a client.</summary>
internal static class Replies
{
    public static readonly SmtpReply SenderOk = new(250, "2.1.0", "Ok");
    public static readonly SmtpReply RecipientOk = new(250, "2.1.5", "Ok");
    public static readonly SmtpReply AuthenticationRequired = new(530, "5.7.0", "Authentication required");
    public static readonly SmtpReply NotYourAddress = new(553, "5.7.1", "This is not an address of the account that is logged in");
    public static readonly SmtpReply FromNotYours = new(550, "5.7.1", "The From field names an address that is not one of the account that is logged in");
    public static readonly SmtpReply FromUnreadable = new(550, "5.6.0", "The From field names no address that can be read");
    public static readonly SmtpReply SeveralFrom = new(550, "5.7.1", "The message has several From fields");
    public static readonly SmtpReply TooBig = new(552, "5.3.4", "The message is larger than this server takes");
    public static readonly SmtpReply HeaderTooBig = new(552, "5.3.4", "The header is larger than this server takes");
    public static readonly SmtpReply Unknown = new(550, "5.1.1", "No such user here");
    public static readonly SmtpReply RelayDenied = new(554, "5.7.1", "Relay access denied");
    public static readonly SmtpReply AliasLoop = new(550, "5.4.6", "The aliases of this address lead in a circle");
    public static readonly SmtpReply TooManyTargets = new(550, "5.4.6", "The aliases of this address lead to too many addresses");
    public static readonly SmtpReply HopLoop = new(554, "5.4.6", "Too many hops: the message goes in a circle");
    public static readonly SmtpReply DeliveryLoop = new(554, "5.4.6", "The message has been delivered to this address before: mail forwarding loop");
    public static readonly SmtpReply MailboxFullForNow = new(452, "4.2.2", "The mailbox is full");
    public static readonly SmtpReply MailboxFull = new(552, "5.2.2", "The mailbox is full");
    public static readonly SmtpReply TooBigForMailbox = new(552, "5.2.3", "The message is larger than this mailbox takes");
    public static readonly SmtpReply TableUnavailable = new(451, "4.3.0", "A table cannot be asked now, try again later");
    public static readonly SmtpReply Deleted = new(550, "5.7.0", "Deleted by the operator");
    public static readonly SmtpReply QueueFull = new(452, "4.3.1", "The queue is full, try again later");
    public static readonly SmtpReply TooManyFuture = new(552, "5.7.16", "Too many messages of yours wait for a later time");
    public static readonly SmtpReply NoSpace = new(452, "4.3.1", "No space to store the message, try again later");
    public static readonly SmtpReply Trouble = new(451, "4.3.0", "The message could not be stored, try again later");
    public static readonly SmtpReply MailboxUnavailable = new(451, "4.2.0", "The mailbox cannot be reached now, try again later");

    public static SmtpReply Queued(QueueId id) => new(250, "2.0.0", $"Ok: queued as {id}");

    public static SmtpReply Delivered(EmailAddress address, QueueId id) => new(250, "2.1.5", $"<{address}> Ok: {id}");

    /// <summary>What a store's refusal is to a sender.</summary>
    public static SmtpReply From(Refusal refusal, bool quotaIsPermanent) => refusal.Kind switch
    {
        RefusalKind.OverQuota => quotaIsPermanent ? MailboxFull : MailboxFullForNow,
        RefusalKind.TooBig => TooBigForMailbox,
        RefusalKind.NoSuchAccount => Unknown,
        RefusalKind.NoSpace => NoSpace,
        _ => MailboxUnavailable,
    };
}
