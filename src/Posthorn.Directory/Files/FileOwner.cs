namespace Posthorn.Directory.Files;

/// <summary>Whose a file is.</summary>
public static class FileOwner
{
    /// <summary>The numbers of owner and group; null when the file cannot be seen.</summary>
    public static (uint User, uint Group)? Of(string path) => FileStamp.TryRead(path, out FileStamp stamp) ? (stamp.Owner, stamp.Group) : null;

    /// <summary>Gives a file to another user and group; false when that is not allowed.</summary>
    public static bool TryGive(string path, (uint User, uint Group) to) => Libc.TryChown(path, to.User, to.Group);
}
