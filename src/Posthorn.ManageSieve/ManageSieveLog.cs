using Microsoft.Extensions.Logging;
using Posthorn.Core;

namespace Posthorn.ManageSieve;

/// <summary>All ManageSieve log events, numbered 8500-8599; the next free id is 8505. Numbers are never reused.</summary>
internal static partial class ManageSieveLog
{
    [LoggerMessage(8500, LogLevel.Information, "sieve-login {Session} {Account} {Mechanism}", EventName = "sieve-login")]
    internal static partial void LoggedIn(this ILogger log, SessionId session, string account, string mechanism);

    [LoggerMessage(8501, LogLevel.Information, "sieve-login-failed {Session} {Client} {Login} {Reason}", EventName = "sieve-login-failed")]
    internal static partial void LoginFailed(this ILogger log, SessionId session, string client, string login, string reason);

    [LoggerMessage(8502, LogLevel.Error, "sieve-command-failed {Session} {Account} {Verb}", EventName = "sieve-command-failed")]
    internal static partial void CommandFailed(this ILogger log, Exception error, SessionId session, string account, string verb);

    [LoggerMessage(8503, LogLevel.Information, "sieve-tls-failed {Session} {Reason}", EventName = "sieve-tls-failed")]
    internal static partial void TlsFailed(this ILogger log, SessionId session, string reason);

    [LoggerMessage(8504, LogLevel.Information, "sieve-script-changed {Session} {Account} {Verb} {Script}", EventName = "sieve-script-changed")]
    internal static partial void ScriptChanged(this ILogger log, SessionId session, string account, string verb, string script);
}
