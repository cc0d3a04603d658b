using System.Globalization;
using Microsoft.Extensions.Logging;
using Posthorn.Core;

namespace Posthorn.Smtp;

/// <summary>All log events of SMTP sessions, numbered 2000-2999; the next free id is 2017. Numbers are never reused.</summary>
internal static partial class SmtpLog
{
    [LoggerMessage(2000, LogLevel.Information, "refused {Session} {Verb} {Code} {Status} {Text}", EventName = "refused")]
    internal static partial void Refused(this ILogger log, SessionId session, string verb, int code, string status, string text);

    [LoggerMessage(2001, LogLevel.Information, "refused-recipient {Session} {Message} {From} {Recipient} {Code} {Status} {Text}", EventName = "refused-recipient")]
    internal static partial void RecipientRefused(this ILogger log, SessionId session, QueueId message, string from, EmailAddress recipient, int code, string status, string text);

    [LoggerMessage(2002, LogLevel.Information, "message {Message} {Session} {Code} {Status} {Text}", EventName = "message")]
    internal static partial void MessageAnswered(this ILogger log, MessageFacts message, SessionId session, int code, string status, string text);

    [LoggerMessage(2003, LogLevel.Information, "tls {Session} {Tls}", EventName = "tls")]
    internal static partial void TlsStarted(this ILogger log, SessionId session, string tls);

    [LoggerMessage(2004, LogLevel.Information, "tls-failed {Session} {Reason}", EventName = "tls-failed")]
    internal static partial void TlsFailed(this ILogger log, SessionId session, string reason);

    [LoggerMessage(2005, LogLevel.Information, "login {Session} {Mechanism} {Account}", EventName = "login")]
    internal static partial void LoggedIn(this ILogger log, SessionId session, string mechanism, EmailAddress account);

    [LoggerMessage(2006, LogLevel.Information, "login-failed {Session} {Mechanism} {Login} {Reason} {Client}", EventName = "login-failed")]
    internal static partial void LoginFailed(this ILogger log, SessionId session, string mechanism, string login, string reason, string client);

    [LoggerMessage(2007, LogLevel.Information, "timeout {Session} {While}", EventName = "timeout")]
    internal static partial void TimedOut(this ILogger log, SessionId session, string @while);

    [LoggerMessage(2008, LogLevel.Information, "too-many-errors {Session}", EventName = "too-many-errors")]
    internal static partial void TooManyErrors(this ILogger log, SessionId session);

    [LoggerMessage(2009, LogLevel.Information, "talks-early {Session} {Verb}", EventName = "talks-early")]
    internal static partial void TalksEarly(this ILogger log, SessionId session, string verb);

    [LoggerMessage(2010, LogLevel.Error, "command-failed {Session} {Verb}", EventName = "command-failed")]
    internal static partial void CommandFailed(this ILogger log, Exception error, SessionId session, string verb);

    [LoggerMessage(2011, LogLevel.Error, "transport-failed {Session} {Message}", EventName = "transport-failed")]
    internal static partial void TransportFailed(this ILogger log, Exception error, SessionId session, QueueId? message);

    [LoggerMessage(2013, LogLevel.Information, "xclient {Session} {Client} {Name} {Login}", EventName = "xclient")]
    internal static partial void ActsFor(this ILogger log, SessionId session, string client, string name, string login);

    [LoggerMessage(2014, LogLevel.Information, "xforward {Session} {Client}", EventName = "xforward")]
    internal static partial void Forwarded(this ILogger log, SessionId session, string client);

    [LoggerMessage(2015, LogLevel.Information, "rate-exceeded {Session} {Client} {Of}", EventName = "rate-exceeded")]
    internal static partial void RateExceeded(this ILogger log, SessionId session, string client, string of);

    [LoggerMessage(2016, LogLevel.Information, "unauthorized-pipelining {Session} {Verb}", EventName = "unauthorized-pipelining")]
    internal static partial void PipelinedUnasked(this ILogger log, SessionId session, string verb);

    [LoggerMessage(2012, LogLevel.Information, "lost {Session} {Message} {Octets} octets", EventName = "lost")]
    internal static partial void PeerLost(this ILogger log, SessionId session, QueueId message, long octets);
}

/// <summary>What the log says of a message.</summary>
internal readonly record struct MessageFacts(QueueId Id, string From, int Recipients, long Octets)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Id} from=<{From}> nrcpt={Recipients} size={Octets}");
}
