using Microsoft.Extensions.Logging;
using Posthorn.Core;

namespace Posthorn.DovecotAuth;

/// <summary>All log events of the authentication server, numbered 8950-8999; the next free id is 8953. Numbers are never reused.</summary>
internal static partial class AuthLog
{
    [LoggerMessage(8950, LogLevel.Information, "auth-ok {Session} {Service} {Client} {Account} {Mechanism}", EventName = "auth-ok")]
    internal static partial void Admitted(this ILogger log, SessionId session, string service, string client, string account, string mechanism);

    [LoggerMessage(8951, LogLevel.Information, "auth-failed {Session} {Service} {Client} {Login} {Reason}", EventName = "auth-failed")]
    internal static partial void Refused(this ILogger log, SessionId session, string service, string client, string login, string reason);

    [LoggerMessage(8952, LogLevel.Information, "auth-protocol {Session} {Fault}", EventName = "auth-protocol")]
    internal static partial void NotUnderstood(this ILogger log, SessionId session, string fault);
}
