using System.Runtime.InteropServices;
using Posthorn.Directory.Files;
using Posthorn.Store.Engine;

namespace Posthorn.Setup;

/// <summary>The user to whom the server's files belong. What root's commands make in them has to be that user's: else they would lock the server out of its mail.</summary>
internal sealed partial class ServerUser : IDisposable
{
    private const uint Root = 0;
    private readonly uint _group;
    private readonly uint[] _groups;

    private ServerUser(uint group, uint[] groups) => (_group, _groups) = (group, groups);

    /// <summary>Acts as the owner of a folder until it is disposed; null when this is not root, or the folder is root's own.</summary>
    /// <exception cref="IOException">The system does not permit it.</exception>
    public static ServerUser? Become(string folder)
    {
        if (OwnerOf(folder) is not var (user, group)) return null;
        MaildirStores.LoadLibraries();
        uint[] groups = new uint[256];
        int count = GetGroups(groups.Length, groups);
        ServerUser root = new(EffectiveGroup(), groups[..Math.Max(count, 0)]);
        // The groups first: afterwards nobody may change them.
        Must(NameOf(user) is { } name ? InitGroups(name, group) : SetGroups(1, [group]), folder);
        Must(SetEffectiveGroup(group), folder);
        Must(SetEffectiveUser(user), folder);
        return root;
    }

    /// <summary>Gives files that root has made to the owner of a folder, who has to read them.</summary>
    /// <exception cref="IOException">The system does not permit it.</exception>
    public static void Give(string folder, params IEnumerable<string> files)
    {
        if (OwnerOf(folder) is not { } owner) return;
        foreach (string file in files)
            if (!FileOwner.TryGive(file, owner)) throw new IOException($"{file} cannot be given to the owner of {folder}");
    }

    /// <summary>The first of the server's files that belongs to somebody else than its folder, with the name or number of that user; null when there is none. Folders of accounts are not looked into.</summary>
    public static (string Path, string Owner)? FindForeign(string folder)
    {
        if (FileOwner.Of(folder) is not var (mine, _)) return null;
        EnumerationOptions quietly = new() { IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint };
        foreach (string part in (ReadOnlySpan<string>)["", "accounts", "journal", "log", "queue", "trace"])
        {
            if (!Folder.Exists(Path.Combine(folder, part))) continue;
            foreach (string path in Folder.EnumerateFileSystemEntries(Path.Combine(folder, part), "*", quietly))
                if (FileOwner.Of(path) is var (owner, _) && owner != mine) return (path, NameOf(owner) ?? $"user {owner}");
        }

        return null;
    }

    public void Dispose()
    {
        Must(SetEffectiveUser(Root), "root");
        Must(SetEffectiveGroup(_group), "root");
        Must(SetGroups((nuint)_groups.Length, _groups), "root");
    }

    private static (uint User, uint Group)? OwnerOf(string folder) =>
        PrivateFile.EffectiveUser() == Root && FileOwner.Of(folder) is var ids and not (Root, _) ? ids : null;

    private static void Must(int result, string what)
    {
        if (result != 0) throw new IOException($"{what}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
    }

    // struct passwd begins with the name.
    private static string? NameOf(uint user) => GetUser(user) is var entry and not 0 ? Marshal.PtrToStringUTF8(Marshal.ReadIntPtr(entry)) : null;

    [LibraryImport("libc", EntryPoint = "getpwuid")]
    private static partial nint GetUser(uint user);

    [LibraryImport("libc", EntryPoint = "getegid")]
    private static partial uint EffectiveGroup();

    [LibraryImport("libc", EntryPoint = "getgroups", SetLastError = true)]
    private static partial int GetGroups(int most, [Out] uint[] groups);

    [LibraryImport("libc", EntryPoint = "setgroups", SetLastError = true)]
    private static partial int SetGroups(nuint count, ReadOnlySpan<uint> groups);

    [LibraryImport("libc", EntryPoint = "initgroups", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int InitGroups(string user, uint group);

    [LibraryImport("libc", EntryPoint = "setegid", SetLastError = true)]
    private static partial int SetEffectiveGroup(uint group);

    [LibraryImport("libc", EntryPoint = "seteuid", SetLastError = true)]
    private static partial int SetEffectiveUser(uint user);
}
