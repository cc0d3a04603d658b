using Microsoft.Extensions.Logging;
using Posthorn.Core;

namespace Posthorn.Pop3;

/// <summary>All POP3 log events, numbered 8000-8499; the next free id is 8007. Numbers are never reused.</summary>
internal static partial class Pop3Log
{
    [LoggerMessage(8000, LogLevel.Information, "pop3-login {Session} {Account} {Mechanism} messages={Messages} octets={Octets}", EventName = "pop3-login")]
    internal static partial void LoggedIn(this ILogger log, SessionId session, string account, string mechanism, int messages, long octets);

    [LoggerMessage(8001, LogLevel.Information, "pop3-login-failed {Session} {Client} {Login} {Reason}", EventName = "pop3-login-failed")]
    internal static partial void LoginFailed(this ILogger log, SessionId session, string client, string login, string reason);

    [LoggerMessage(8002, LogLevel.Error, "pop3-command-failed {Session} {Account} {Verb}", EventName = "pop3-command-failed")]
    internal static partial void CommandFailed(this ILogger log, Exception error, SessionId session, string account, string verb);

    [LoggerMessage(8003, LogLevel.Information, "pop3-logout {Session} {Account} {Reason} retrieved={Retrieved} deleted={Deleted} {BytesOut}", EventName = "pop3-logout")]
    internal static partial void LoggedOut(this ILogger log, SessionId session, string account, string reason, int retrieved, int deleted, long bytesOut);

    [LoggerMessage(8004, LogLevel.Information, "pop3-tls {Session} {Tls}", EventName = "pop3-tls")]
    internal static partial void TlsStarted(this ILogger log, SessionId session, string tls);

    [LoggerMessage(8005, LogLevel.Information, "pop3-tls-failed {Session} {Reason}", EventName = "pop3-tls-failed")]
    internal static partial void TlsFailed(this ILogger log, SessionId session, string reason);

    [LoggerMessage(8006, LogLevel.Error, "pop3-content-short {Session} {Account} {Uid}", EventName = "pop3-content-short")]
    internal static partial void ContentShort(this ILogger log, SessionId session, string account, uint uid);
}
