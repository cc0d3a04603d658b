using Microsoft.Extensions.Logging;
using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>All log events of the store, numbered 7000-7999; the next free ids are 7026, 7048 and 7051. Numbers are never reused; 7008 is retired.</summary>
internal static partial class StoreLog
{
    [LoggerMessage(7000, LogLevel.Warning, "{Account}: a mail file could not be written or renamed; it is tried again, the message is safe in the journal")]
    internal static partial void FileDelayed(this ILogger log, Exception cause, EmailAddress account);

    [LoggerMessage(7001, LogLevel.Error, "{Account}: the catalogue could not take a change; it is tried again")]
    internal static partial void ApplyFailed(this ILogger log, Exception cause, EmailAddress account);

    [LoggerMessage(7002, LogLevel.Warning, "{Account}: {File} is damaged or missing and is rebuilt from the mail and the journal")]
    internal static partial void Rebuilding(this ILogger log, EmailAddress account, string file);

    [LoggerMessage(7003, LogLevel.Warning, "{Account}: {Count} message files were missing or damaged after an unclean end and were written again")]
    internal static partial void FilesMended(this ILogger log, EmailAddress account, int count);

    [LoggerMessage(7004, LogLevel.Error, "{Account}: the mail cannot be opened")]
    internal static partial void OpenFailed(this ILogger log, Exception cause, EmailAddress account);

    [LoggerMessage(7005, LogLevel.Error, "{Account}: {Root} is not the mail that the catalogue knows: {Reason}")]
    internal static partial void WrongTree(this ILogger log, EmailAddress account, string root, string reason);

    [LoggerMessage(7006, LogLevel.Warning, "{Account}: background work on the mail failed; it is tried again")]
    internal static partial void TidyFailed(this ILogger log, Exception cause, EmailAddress account);

    [LoggerMessage(7007, LogLevel.Information, "{Account}: {Count} messages that another program put into {Mailbox} were taken in")]
    internal static partial void ForeignMail(this ILogger log, EmailAddress account, int count, string mailbox);

    [LoggerMessage(7017, LogLevel.Error, "{Account}: the catalogue is damaged; sessions are sent away, and it is made anew from the mail, its lists and the journal")]
    internal static partial void Repairing(this ILogger log, EmailAddress account);

    [LoggerMessage(7018, LogLevel.Warning, "{Account}: the catalogue was made anew; clients are told all flags and removals once more")]
    internal static partial void Repaired(this ILogger log, EmailAddress account);

    [LoggerMessage(7024, LogLevel.Warning, "{Account}: the mail is in {Root} now and was in {Last}; what came into the old place within the last minutes is made here once more. What is still there after that is looked at by nobody")]
    internal static partial void Moved(this ILogger log, EmailAddress account, string root, string last);

    [LoggerMessage(7025, LogLevel.Warning, "{Account}: the mail is to be in {Root} now and is open in {Last}; sessions are sent away, nothing more is written there, and mail for it waits until it is opened in the new place")]
    internal static partial void LiesElsewhere(this ILogger log, EmailAddress account, string root, string last);

    [LoggerMessage(7009, LogLevel.Information, "{Account}: {Count} messages of {Mailbox} were removed by another program")]
    internal static partial void ForeignRemoval(this ILogger log, EmailAddress account, int count, string mailbox);

    [LoggerMessage(7016, LogLevel.Warning, "{Account}: the filter's notes could not be read from or written to the home; the catalogue has those that are its own")]
    internal static partial void NotesTrouble(this ILogger log, Exception cause, EmailAddress account);

    [LoggerMessage(7010, LogLevel.Error, "{Account}: the mail is not available; record {Record} waits in the journal until it is")]
    internal static partial void ReplayPostponed(this ILogger log, EmailAddress account, long record);

    [LoggerMessage(7011, LogLevel.Error, "{Root}: the volume does not answer for {Patience}; the others go on, records of its accounts are held until it does")]
    internal static partial void VolumeHangs(this ILogger log, string root, TimeSpan patience);

    [LoggerMessage(7012, LogLevel.Error, "{Root}: the volume could not be synced; what was written since the last checkpoint is written into new files before the next attempt")]
    internal static partial void SyncFailed(this ILogger log, Exception cause, string root);

    [LoggerMessage(7013, LogLevel.Warning, "{Count} records of {Accounts} accounts were taken out of the journal's ring into files of their own, since their mail cannot be written now")]
    internal static partial void RecordsHeld(this ILogger log, int count, int accounts);

    [LoggerMessage(7019, LogLevel.Warning, "The catalogues of {Accounts} accounts were written once more, since their volume could not be synced before")]
    internal static partial void CataloguesRewritten(this ILogger log, int accounts);

    [LoggerMessage(7020, LogLevel.Error, "Record {Record} cannot be applied to {Account}; it and what came after it wait in the journal until the account is opened, the others go on")]
    internal static partial void ReplayFailed(this ILogger log, Exception cause, EmailAddress account, long record);

    [LoggerMessage(7021, LogLevel.Warning, "{Account}: the folder of {Mailbox} cannot be moved; the mailbox stays as it was, and who wanted to remove or rename it was told so")]
    internal static partial void FolderStays(this ILogger log, Exception cause, EmailAddress account, string mailbox);

    [LoggerMessage(7022, LogLevel.Warning, "{Account}: {Count} files in {Mailbox} that no message has were taken out of sight, since the last end undid their removal; they can be had with posthorn undelete")]
    internal static partial void LeftOvers(this ILogger log, EmailAddress account, int count, string mailbox);

    [LoggerMessage(7023, LogLevel.Error, "The background work of the mail store has ended early; accounts are closed all the same")]
    internal static partial void BackgroundEnded(this ILogger log, Exception cause);

    [LoggerMessage(7047, LogLevel.Error, "A message of {Octets} octets is stored without what is usually kept about it, which is made from the message whenever it is asked for")]
    internal static partial void FactsUnknown(this ILogger log, Exception? cause, long octets);

    [LoggerMessage(7040, LogLevel.Warning, "{Account}: an index of Dovecot's in {Folder} is left aside, the mail is taken in without it: {Reason}")]
    internal static partial void IndexLeftAside(this ILogger log, EmailAddress account, string folder, string reason);

    [LoggerMessage(7041, LogLevel.Information, "{Account}: {Mailboxes} mailboxes with {Messages} messages of another server were taken in, as they were")]
    internal static partial void TreeAdopted(this ILogger log, EmailAddress account, int mailboxes, long messages);

    [LoggerMessage(7042, LogLevel.Warning, "{Account}: another server gave numbers in {Mailbox} that clients here know for other messages; UIDVALIDITY is {Validity} now, and clients will load the mailbox anew")]
    internal static partial void Renumbered(this ILogger log, EmailAddress account, string mailbox, uint validity);

    [LoggerMessage(7043, LogLevel.Information, "{Account}: another server was at {Mailbox}: its numbers up to UID {Uid} and MODSEQ {ModSeq} are taken over, and {Messages} new messages")]
    internal static partial void ServerVisited(this ILogger log, EmailAddress account, string mailbox, uint uid, long modSeq, int messages);

    [LoggerMessage(7044, LogLevel.Information, "{Account}: another server {What} {Mailbox}")]
    internal static partial void FolderVisited(this ILogger log, EmailAddress account, string what, string mailbox);

    [LoggerMessage(7045, LogLevel.Warning, "{Account}: the folder {Path} is not taken in: {Reason}")]
    internal static partial void FolderLeftAside(this ILogger log, EmailAddress account, string path, string reason);

    [LoggerMessage(7046, LogLevel.Information, "{Account}: the folder {Path} is called {Directory} now, as names are written in a Maildir")]
    internal static partial void FolderRenamed(this ILogger log, EmailAddress account, string path, string directory);

    [LoggerMessage(7014, LogLevel.Warning, "The note that the mail was closed in order cannot be written")]
    internal static partial void RunNotEnded(this ILogger log, Exception cause);

    [LoggerMessage(7015, LogLevel.Warning, "Not all folders can be watched (see fs.inotify.max_user_watches); directory times are looked at instead, once a second")]
    internal static partial void NoWatches(this ILogger log);

    [LoggerMessage(7050, LogLevel.Warning, "{Account}: the word index failed; searches read the mail itself until it is made anew")]
    internal static partial void WordIndexFailed(this ILogger log, Exception cause, EmailAddress account);
}
