namespace Posthorn.Store.Dovecot;

/// <summary><c>dovecot.mailbox.log</c>: which mailboxes Dovecot removed. Records of 24 bytes: a kind, three zeros, the mailbox's GUID, a time.</summary>
internal static class MailboxLog
{
    internal const string FileName = "dovecot.mailbox.log";
    private const int RecordSize = 24;
    private const byte DeletedMailbox = 1;

    /// <summary>The GUIDs of removed mailboxes; a record cut short is passed over.</summary>
    internal static HashSet<string> Deleted(ReadOnlySpan<byte> file)
    {
        HashSet<string> deleted = new(StringComparer.Ordinal);
        for (; file.Length >= RecordSize; file = file[RecordSize..])
            if (file[0] == DeletedMailbox) deleted.Add(Convert.ToHexStringLower(file.Slice(4, 16)));
        return deleted;
    }
}
