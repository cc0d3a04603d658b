using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Dovecot;

/// <summary>Brings a tree that another server lays out in its own way (<c>LAYOUT=fs</c>, <c>INDEX=</c>, <c>CONTROL=</c>) into the plain way, and back when it is handed over.</summary>
/// <remarks>
/// What lies in the other server's places is newer than what lies in ours, since handing over leaves nothing there. Both ways can stop anywhere and be gone again from the start.
/// Our own directory would be listed as a mailbox in nested folders, so it waits in the account's home while the tree is the other server's.
/// </remarks>
internal sealed class ForeignLayout(MaildirTree tree, MailAccount who, ILogger log)
{
    private const string OwnInHome = "posthorn-mail";

    private static readonly string[] Control = [UidList.FileName, KeywordFile.FileName];
    private static readonly string[] Index = [IndexFile.FileName, IndexLog.FileName, IndexLog.OlderName];

    /// <summary>Deeper folders than Dovecot allows itself (its limit is 16) are nobody's.</summary>
    private const int Deepest = 32;

    private IVolume Volume => tree.Volume;

    private MailLayout Layout => who.Layout;

    private string OwnAway => $"{who.Home}/{OwnInHome}";

    private bool IsPlain => Layout == MailLayout.Plain;

    /// <summary>Before an account is opened. A root without INBOX may be a volume that is not mounted: nothing is done then.</summary>
    internal void TakeIn()
    {
        if (IsPlain || !tree.Exists(tree.Root + "/cur")) return;
        if (!tree.Exists(tree.OwnPath) && tree.Exists(OwnAway)) Volume.Rename(OwnAway, tree.OwnPath);
        if (Layout.IsNested)
        {
            Flatten(tree.Root, [], depth: 0);
            TakeSubscriptions();
        }

        foreach (string directory in Folders())
        {
            string folder = directory.Length == 0 ? tree.Root : $"{tree.Root}/{directory}";
            foreach (string name in Control) Bring(Outside(Layout.ControlRoot, directory), folder, name);
            foreach (string name in Index) Bring(Outside(Layout.IndexRoot, directory), folder, name);
        }

        Bring(Layout.IndexRoot, tree.Root, MailboxLog.FileName);
        Bring(Layout.ControlRoot, tree.Root, SubscriptionFile.FileName);
        if (Layout.ControlRoot is not { } control || !tree.Exists(control)) return;
        foreach (VolumeEntry entry in Volume.List(control, times: false))
            if (entry.Name.StartsWith("dovecot-uidvalidity", StringComparison.Ordinal)) Bring(control, tree.Root, entry.Name);
    }

    /// <summary>After everything was written and the account is closed.</summary>
    internal void GiveBack()
    {
        if (IsPlain) return;
        foreach (string directory in Folders())
        {
            string folder = directory.Length == 0 ? tree.Root : $"{tree.Root}/{directory}";
            foreach (string name in Control) Bring(folder, Outside(Layout.ControlRoot, directory), name);
            foreach (string name in Index) Bring(folder, Outside(Layout.IndexRoot, directory), name);
            // What was derived from an older index.
            foreach (string name in (ReadOnlySpan<string>)[IndexLog.OlderName, "dovecot.index.cache", "dovecot.index.thread"])
                if (Outside(Layout.IndexRoot, directory) is { } outside && tree.Exists($"{outside}/{name}")) Volume.Unlink($"{outside}/{name}");
        }

        foreach (string name in (ReadOnlySpan<string>)["dovecot.list.index", "dovecot.list.index.log", "dovecot.list.index.log.2"])
            if (Layout.IndexRoot is { } root && tree.Exists($"{root}/{name}")) Volume.Unlink($"{root}/{name}");
        if (Layout.IsNested) GiveSubscriptions();
        if (Layout.ControlRoot is { } control)
        {
            Bring(tree.Root, control, SubscriptionFile.FileName);
            foreach (VolumeEntry entry in Volume.List(tree.Root, times: false))
                if (entry.Name.StartsWith("dovecot-uidvalidity", StringComparison.Ordinal)) Bring(tree.Root, control, entry.Name);
        }

        if (Layout.IndexRoot is { } index) Bring(tree.Root, index, MailboxLog.FileName);
        if (Layout.IsNested) Nest();
    }

    // Folders of the plain way; the root is an empty name.
    private IEnumerable<string> Folders() => ((string[])[""]).Concat(tree.Directories().Select(one => one.Directory).ToArray());

    // Where a folder's files lie in a root of their own: INBOX has a name there.
    private string? Outside(string? root, string directory)
    {
        if (root is null) return null;
        if (!Layout.IsNested) return directory.Length == 0 ? $"{root}/.INBOX" : $"{root}/{directory}";
        if (directory.Length > 0 && LeadsAway(Levels(directory))) return null;
        return directory.Length == 0 ? $"{root}/INBOX" : $"{root}/{string.Join('/', Levels(directory))}";
    }

    private void Bring(string? from, string? into, string name)
    {
        if (from is null || into is null || from == into || !tree.Exists($"{from}/{name}")) return;
        Volume.MakePath(into);
        tree.Replace($"{into}/{name}", tree.ReadBytes($"{from}/{name}")!);
        Volume.SyncDirectory(into);
        Volume.Unlink($"{from}/{name}");
    }

    // Depth first: a folder's children leave it before it gets its own new name.
    private void Flatten(string path, List<string> levels, int depth)
    {
        if (depth > Deepest) return;
        foreach (VolumeEntry entry in Volume.List(path, times: false))
        {
            if (entry.Kind is not (VolumeKind.Directory or VolumeKind.SymbolicLink) || entry.Name is "cur" or "new" or "tmp" || entry.Name[0] == '.') continue;
            string folder = $"{path}/{entry.Name}";
            if (depth == 0 && folder == tree.OwnPath || folder == who.Home) continue;
            List<string> name = [.. levels, entry.Name];
            if (entry.Kind == VolumeKind.Directory) Flatten(folder, name, depth + 1);
            if (tree.Exists($"{folder}/cur")) Move(folder, $"{tree.Root}/.{string.Join('.', name.Select(level => level.Replace(".", "&AC4-", StringComparison.Ordinal)))}");
            else if (entry.Kind == VolumeKind.Directory && Volume.List(folder, times: false).Count == 0) Volume.RemoveDirectory(folder);
        }
    }

    // One folder that cannot lie at its place, since all its levels are too long for one name or the disk does not let it go, must not keep all others closed.
    private void Move(string from, string target)
    {
        try
        {
            if (tree.Exists(target)) log.FolderLeftAside(who.Address, from, $"{target} is the same mailbox; merge the two to take it in");
            else Volume.RenameNew(from, target);
        }
        catch (VolumeException problem) when (problem.IsLasting)
        {
            log.FolderLeftAside(who.Address, from, problem.Message);
        }
    }

    // Parents first.
    private void Nest()
    {
        foreach ((string directory, string[] levels) in tree.Directories().Select(one => (one.Directory, Levels(one.Directory))).OrderBy(one => one.Item2.Length).ToArray())
        {
            if (LeadsAway(levels))
            {
                log.FolderLeftAside(who.Address, $"{tree.Root}/{directory}", "nested folders cannot have this name");
                continue;
            }

            string above = string.Join('/', levels.SkipLast(1));
            string parent = above.Length == 0 ? tree.Root : $"{tree.Root}/{above}";
            Volume.MakePath(parent);
            Move($"{tree.Root}/{directory}", $"{parent}/{levels[^1]}");
        }

        Volume.SyncDirectory(tree.Root);
        Volume.MakePath(who.Home);
        if (tree.Exists(tree.OwnPath) && !tree.Exists(OwnAway)) Volume.Rename(tree.OwnPath, OwnAway);
    }

    // Such levels are names like others in the plain way; nested they would lead out of the account's tree.
    private static bool LeadsAway(string[] levels) => levels.Any(FolderNames.IsDots);

    private static string[] Levels(string directory) => [.. directory[1..].Split('.').Select(level => level.Replace("&AC4-", ".", StringComparison.Ordinal))];

    // Version 1 parts levels as the server does, with slashes; ours with dots.
    private void TakeSubscriptions()
    {
        string path = $"{Layout.ControlRoot ?? tree.Root}/{SubscriptionFile.FileName}";
        if (tree.ReadText(path) is not { } text || text.StartsWith("V\t", StringComparison.Ordinal) || !text.Contains('/', StringComparison.Ordinal)) return;
        tree.Replace(path, text.Replace(".", "&AC4-", StringComparison.Ordinal).Replace('/', '.'), sync: true);
    }

    private void GiveSubscriptions()
    {
        string path = $"{tree.Root}/{SubscriptionFile.FileName}";
        if (tree.ReadText(path) is not { } text || text.StartsWith("V\t", StringComparison.Ordinal)) return;
        tree.Replace(path, "V\t2\n\n" + text.Replace('.', '\t').Replace("&AC4-", ".", StringComparison.Ordinal), sync: true);
    }
}
