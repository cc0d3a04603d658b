using Microsoft.Extensions.Logging;

namespace Posthorn.Serving;

/// <summary>All log events of the server as a whole, numbered 9000-9999; the next free id is 9013. Numbers are never reused.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(9000, LogLevel.Information, "ready {Host} {Listeners}", EventName = "ready")]
    internal static partial void Ready(this ILogger log, string host, int listeners);

    [LoggerMessage(9001, LogLevel.Information, "stopping {Connections}", EventName = "stopping")]
    internal static partial void Stopping(this ILogger log, int connections);

    [LoggerMessage(9002, LogLevel.Information, "reloaded {NeedRestart}", EventName = "reloaded")]
    internal static partial void Reloaded(this ILogger log, string needRestart);

    [LoggerMessage(9003, LogLevel.Error, "reload-refused {Reason}", EventName = "reload-refused")]
    internal static partial void ReloadRefused(this ILogger log, string reason);

    [LoggerMessage(9004, LogLevel.Error, "checkpoint-failed {Reason}", EventName = "checkpoint-failed")]
    internal static partial void CheckpointFailed(this ILogger log, string reason);

    [LoggerMessage(9005, LogLevel.Error, "chore-failed {Reason}", EventName = "chore-failed")]
    internal static partial void ChoreFailed(this ILogger log, Exception e, string reason);

    [LoggerMessage(9006, LogLevel.Information, "drop-taken {File} {From} {UserId} {Taken} {Refused}", EventName = "drop-taken")]
    internal static partial void DropTaken(this ILogger log, string file, string from, uint userId, int taken, int refused);

    [LoggerMessage(9007, LogLevel.Error, "drop-unusable {File} {Reason}", EventName = "drop-unusable")]
    internal static partial void DropUnusable(this ILogger log, string file, string reason);

    [LoggerMessage(9008, LogLevel.Error, "drop-failed {Folder} {Reason}", EventName = "drop-failed")]
    internal static partial void DropFailed(this ILogger log, string folder, string reason);

    [LoggerMessage(9009, LogLevel.Warning, "folder-open {Folder} {Danger}", EventName = "folder-open")]
    internal static partial void FolderOpen(this ILogger log, string folder, string danger);

    [LoggerMessage(9010, LogLevel.Warning, "not-ours {File} {Owner} {Folder}", EventName = "not-ours")]
    internal static partial void NotOurs(this ILogger log, string file, string owner, string folder);

    [LoggerMessage(9011, LogLevel.Warning, "space-short {Folder} {FreeBytes} {ReserveBytes} new mail is refused for the time being (452): make room", EventName = "space-short")]
    internal static partial void SpaceShort(this ILogger log, string folder, long freeBytes, long reserveBytes);

    [LoggerMessage(9012, LogLevel.Information, "space-again {Folder} {FreeBytes} {ReserveBytes}", EventName = "space-again")]
    internal static partial void SpaceAgain(this ILogger log, string folder, long freeBytes, long reserveBytes);
}
