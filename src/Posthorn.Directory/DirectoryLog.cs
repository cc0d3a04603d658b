using Microsoft.Extensions.Logging;
using Posthorn.Core;

namespace Posthorn.Directory;

/// <summary>All log events of the directory, numbered 6000-6999; the next free id is 6012. Numbers are never reused.</summary>
internal static partial class DirectoryLog
{
    [LoggerMessage(6001, LogLevel.Information, "Directory loaded: {Domains} domains, {Accounts} accounts, {Problems} problems")]
    internal static partial void Loaded(this ILogger log, int domains, int accounts, int problems);

    [LoggerMessage(6002, LogLevel.Error, "{Problem}")]
    internal static partial void Error(this ILogger log, DirectoryProblem problem);

    [LoggerMessage(6003, LogLevel.Warning, "{Problem}")]
    internal static partial void Warning(this ILogger log, DirectoryProblem problem);

    [LoggerMessage(6004, LogLevel.Information, "{Problem}")]
    internal static partial void Note(this ILogger log, DirectoryProblem problem);

    [LoggerMessage(6005, LogLevel.Information, "{Account} logged in with a password that matched only as {Form}")]
    internal static partial void OtherForm(this ILogger log, MailAccount account, PasswordForm form);

    [LoggerMessage(6006, LogLevel.Warning, "The password of {Account} cannot be checked by this system's libcrypt")]
    internal static partial void Uncheckable(this ILogger log, MailAccount account);

    [LoggerMessage(6010, LogLevel.Information, "Table {Table} loaded: {Entries} entries, {Problems} problems")]
    internal static partial void TableLoaded(this ILogger log, string table, int entries, int problems);

    [LoggerMessage(6011, LogLevel.Warning, "{Path} cannot be read or made: salts for names without stored SCRAM keys change with each start, which tells strangers that they have none")]
    internal static partial void NoSecret(this ILogger log, Exception cause, string path);

    [LoggerMessage(6007, LogLevel.Information, "Too many failed logins from {Client}: a login by {Protocol} was not looked at")]
    internal static partial void ShutOut(this ILogger log, string client, string protocol);
}
