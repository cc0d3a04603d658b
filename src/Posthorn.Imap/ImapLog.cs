using Microsoft.Extensions.Logging;
using Posthorn.Core;

namespace Posthorn.Imap;

/// <summary>All IMAP log events, numbered 4000-4999; the next free id is 4011. Numbers are never reused.</summary>
internal static partial class ImapLog
{
    [LoggerMessage(4000, LogLevel.Information, "imap-login {Session} {Account} {Mechanism} {PasswordForm}", EventName = "imap-login")]
    internal static partial void LoggedIn(this ILogger log, SessionId session, string account, string mechanism, string passwordForm);

    [LoggerMessage(4001, LogLevel.Information, "imap-login-failed {Session} {Client} {Login} {Reason}", EventName = "imap-login-failed")]
    internal static partial void LoginFailed(this ILogger log, SessionId session, string client, string login, string reason);

    [LoggerMessage(4002, LogLevel.Error, "imap-command-failed {Session} {Account} {Verb}", EventName = "imap-command-failed")]
    internal static partial void CommandFailed(this ILogger log, Exception error, SessionId session, string account, string verb);

    [LoggerMessage(4003, LogLevel.Information, "imap-logout {Session} {Account} {Reason} {BytesOut}", EventName = "imap-logout")]
    internal static partial void LoggedOut(this ILogger log, SessionId session, string account, string reason, long bytesOut);

    [LoggerMessage(4004, LogLevel.Information, "imap-append {Session} {Account} {Mailbox} {Uid} {EmailId} {Size}", EventName = "imap-append")]
    internal static partial void Appended(this ILogger log, SessionId session, string account, string mailbox, uint uid, string emailId, long size);

    [LoggerMessage(4005, LogLevel.Information, "imap-client {Session} {Account} {Client}", EventName = "imap-client")]
    internal static partial void ClientIdentified(this ILogger log, SessionId session, string account, string client);

    [LoggerMessage(4006, LogLevel.Information, "imap-tls-failed {Session} {Reason}", EventName = "imap-tls-failed")]
    internal static partial void TlsFailed(this ILogger log, SessionId session, string reason);

    [LoggerMessage(4007, LogLevel.Error, "imap-content-short {Session} {Account} {Mailbox} {Uid}", EventName = "imap-content-short")]
    internal static partial void ContentShort(this ILogger log, SessionId session, string account, string mailbox, uint uid);

    [LoggerMessage(4008, LogLevel.Information, "imap-rights {Session} {Account} {Mailbox} {Identifier} {Rights}", EventName = "imap-rights")]
    internal static partial void RightsChanged(this ILogger log, SessionId session, string account, string mailbox, string identifier, string rights);

    [LoggerMessage(4009, LogLevel.Information, "imap-quota {Session} {Account} {Target} {StorageKiB} {Messages}", EventName = "imap-quota")]
    internal static partial void QuotaSet(this ILogger log, SessionId session, string account, string target, long storageKiB, long messages);

    [LoggerMessage(4010, LogLevel.Information, "imap-slowed {Session} {Account} {PerSecond}", EventName = "imap-slowed")]
    internal static partial void Slowed(this ILogger log, SessionId session, string account, int perSecond);
}
