namespace Posthorn.Store.Maildir;

/// <summary>How a folder's files that are not mail were at some time, so that another server's hand in them is noticed: its list, its keywords, the log of its index, its rights.</summary>
/// <param name="List">Of <c>dovecot-uidlist</c>.</param>
/// <param name="Keywords">Of <c>dovecot-keywords</c>.</param>
/// <param name="Log">Of <c>dovecot.index.log</c>.</param>
/// <param name="Acl">Of <c>dovecot-acl</c>; null where it was not noted.</param>
internal readonly record struct FolderMark(string List, string Keywords, string Log, string? Acl)
{
    internal static FolderMark Of(MaildirTree tree, string folder) =>
        new(tree.MarkOf($"{folder}/{UidList.FileName}"), tree.MarkOf($"{folder}/{KeywordFile.FileName}"), tree.MarkOf($"{folder}/{Dovecot.IndexLog.FileName}"), tree.MarkOf($"{folder}/{AclFile.FileName}"));

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    internal static FolderMark Parse(string text) => text.Split(',') switch
    {
        [string list, string keywords, string log, string acl] => new(list, keywords, log, acl),
        [string list, string keywords, string log] => new(list, keywords, log, null), // as it was written before rights were noticed
        _ => new("", "", "", null),
    };

    public override string ToString() => Acl is null ? $"{List},{Keywords},{Log}" : $"{List},{Keywords},{Log},{Acl}";
}
