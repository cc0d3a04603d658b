namespace Posthorn.Journal.Volume;

/// <summary>Why the file system refused.</summary>
public enum VolumeError
{
    /// <summary>The device failed, or something that has no kind of its own.</summary>
    Io,
    /// <summary>The volume or the quota is full.</summary>
    NoSpace,
    /// <summary>The volume is mounted read-only.</summary>
    ReadOnly,
    /// <summary>No such file or directory.</summary>
    Missing,
    /// <summary>The name is taken.</summary>
    Exists,
    /// <summary>Not permitted.</summary>
    Permission,
    /// <summary>The directory is not empty.</summary>
    NotEmpty,
    /// <summary>A directory was expected.</summary>
    NotDirectory,
    /// <summary>A file was expected.</summary>
    IsDirectory,
    /// <summary>The two names lie on different volumes.</summary>
    OtherVolume,
    /// <summary>The file has as many names as the file system allows.</summary>
    TooManyLinks,
    /// <summary>The name or the path is too long.</summary>
    NameTooLong,
    /// <summary>No file descriptor is left.</summary>
    TooManyFiles,
    /// <summary>Something uses it: a directory on which a volume is mounted can neither be moved nor removed.</summary>
    Busy,
    /// <summary>The name holds a zero byte or otherwise cannot be one, or the operation is not supported here.</summary>
    Invalid,
}

/// <summary>An operation on files failed.</summary>
public sealed class VolumeException : IOException
{
    public VolumeException(VolumeError error, string operation, string path, string reason)
        : base($"{operation} {path}: {reason}")
    {
        Error = error;
        Operation = operation;
        Path = path;
    }

    /// <summary>The kind of failure.</summary>
    public VolumeError Error { get; }

    /// <summary>Whether who refused so will go on doing it until somebody mends something, rather than being full or broken as a whole.</summary>
    public bool IsLasting => Error is not (VolumeError.Io or VolumeError.NoSpace or VolumeError.ReadOnly or VolumeError.TooManyFiles);

    /// <summary>What was tried, such as <c>rename</c>.</summary>
    public string Operation { get; }

    /// <summary>With which file.</summary>
    public string Path { get; }
}
