using Microsoft.Extensions.Logging;
using Posthorn.Core;

namespace Posthorn.Net;

/// <summary>All log events of connections, numbered 1000-1999; the next free id is 1014. Numbers are never reused.</summary>
internal static partial class NetLog
{
    [LoggerMessage(1000, LogLevel.Information, "listening {Listener} {EndPoint}", EventName = "listening")]
    internal static partial void Listening(this ILogger log, string listener, string endPoint);

    [LoggerMessage(1001, LogLevel.Warning, "accept-failed {Listener} {Reason}", EventName = "accept-failed")]
    internal static partial void AcceptFailed(this ILogger log, string listener, string reason);

    [LoggerMessage(1002, LogLevel.Information, "connect {Session} {Listener} {Client}", EventName = "connect")]
    internal static partial void Connected(this ILogger log, SessionId session, string listener, string client);

    [LoggerMessage(1003, LogLevel.Information, "disconnect {Session} {Listener}", EventName = "disconnect")]
    internal static partial void Disconnected(this ILogger log, SessionId session, string listener);

    [LoggerMessage(1004, LogLevel.Information, "too-many-connections {Listener} {Client}", EventName = "too-many-connections")]
    internal static partial void TooManyConnections(this ILogger log, string listener, string client);

    [LoggerMessage(1005, LogLevel.Error, "session-failed {Session} {Listener}", EventName = "session-failed")]
    internal static partial void SessionFailed(this ILogger log, Exception error, SessionId session, string listener);

    [LoggerMessage(1006, LogLevel.Information, "tls {Session} {Tls}", EventName = "tls")]
    internal static partial void TlsStarted(this ILogger log, SessionId session, string tls);

    [LoggerMessage(1007, LogLevel.Information, "tls-failed {Session} {Listener} {Reason}", EventName = "tls-failed")]
    internal static partial void TlsFailed(this ILogger log, SessionId session, string listener, string reason);

    [LoggerMessage(1008, LogLevel.Information, "certificate-reloaded {Path} {NotAfter}", EventName = "certificate-reloaded")]
    internal static partial void CertificateReloaded(this ILogger log, string path, DateTimeOffset notAfter);

    [LoggerMessage(1012, LogLevel.Warning, "certificate-ends {Path} {NotAfter}", EventName = "certificate-ends")]
    internal static partial void CertificateEnds(this ILogger log, string path, DateTimeOffset notAfter);

    [LoggerMessage(1013, LogLevel.Warning, "certificate-ended {Path} {NotAfter}", EventName = "certificate-ended")]
    internal static partial void CertificateEnded(this ILogger log, string path, DateTimeOffset notAfter);

    [LoggerMessage(1010, LogLevel.Information, "no-proxy-header {Listener} {Proxy}", EventName = "no-proxy-header")]
    internal static partial void NoProxyHeader(this ILogger log, string listener, string proxy);

    [LoggerMessage(1011, LogLevel.Information, "proxied {Session} {Listener} {Proxy} {Client}", EventName = "proxied")]
    internal static partial void Proxied(this ILogger log, SessionId session, string listener, string proxy, string client);

    [LoggerMessage(1009, LogLevel.Error, "certificate-rejected {Reason}", EventName = "certificate-rejected")]
    internal static partial void CertificateRejected(this ILogger log, string reason);
}
