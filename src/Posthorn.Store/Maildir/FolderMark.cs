namespace Posthorn.Store.Maildir;

/// <summary>How the files with a folder's numbers were at some time, so that another server's hand in them is noticed: its list, its keywords, and the log of its index.</summary>
internal readonly record struct FolderMark(string List, string Keywords, string Log)
{
    internal static FolderMark Of(MaildirTree tree, string folder) =>
        new(tree.MarkOf($"{folder}/{UidList.FileName}"), tree.MarkOf($"{folder}/{KeywordFile.FileName}"), tree.MarkOf($"{folder}/{Dovecot.IndexLog.FileName}"));

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    internal static FolderMark Parse(string text) => text.Split(',') is [string list, string keywords, string log] ? new(list, keywords, log) : new("", "", "");

    public override string ToString() => $"{List},{Keywords},{Log}";
}
