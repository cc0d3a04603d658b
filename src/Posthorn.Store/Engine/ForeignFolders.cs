using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Engine;

/// <summary>The folders of a tree as another server may have named them.</summary>
internal static class ForeignFolders
{
    /// <summary>
    /// All folders but INBOX. One whose directory is named otherwise than we would name it (UTF-8 or Latin-1 instead of modified UTF-7, decomposed letters, <c>inbox</c> in
    /// another case) gets the right name; one that no mailbox can be called after is left where it is, and said in the log.
    /// </summary>
    internal static List<(MailboxName Name, string Path)> In(MaildirTree tree, ILogger log, EmailAddress who)
    {
        List<(MailboxName, string)> folders = [];
        HashSet<MailboxName> names = [];
        foreach ((string directory, MailboxName? found) in tree.Directories())
        {
            string path = $"{tree.Root}/{directory}";
            if (found is not { } name || !tree.Names.TryDirectory(name, out string right))
            {
                log.FolderLeftAside(who, path, "no mailbox can have this name; rename the directory to take it in");
                continue;
            }

            if (directory != right)
            {
                string target = $"{tree.Root}/{right}";
                if (tree.Exists(target))
                {
                    log.FolderLeftAside(who, path, $"{right} is the same mailbox; merge the two to take it in");
                    continue;
                }

                tree.Volume.RenameNew(path, target);
                log.FolderRenamed(who, path, right);
                path = target;
            }

            if (names.Add(name)) folders.Add((name, path));
        }

        return folders;
    }
}
