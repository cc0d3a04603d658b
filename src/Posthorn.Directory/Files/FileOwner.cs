namespace Posthorn.Directory.Files;

/// <summary>Whose a file is.</summary>
public static class FileOwner
{
    /// <summary>The numbers of owner and group; null when the file cannot be seen.</summary>
    public static (uint User, uint Group)? IdsOf(string path) => FileStamp.TryRead(path, out FileStamp stamp) ? (stamp.Owner, stamp.Group) : null;

    /// <summary>The owner's number; null when the file cannot be seen.</summary>
    public static uint? Of(string path) => FileStamp.TryRead(path, out FileStamp stamp) ? stamp.Owner : null;
}
