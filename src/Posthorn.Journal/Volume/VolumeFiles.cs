namespace Posthorn.Journal.Volume;

/// <summary>What several owners of files do in the same way.</summary>
public static class VolumeFiles
{
    /// <summary>Makes a directory where it is missing.</summary>
    public static void MakeIfMissing(this IVolume volume, string path)
    {
        if (volume.TryStat(path, out _)) return;
        try
        {
            volume.MakeDirectory(path);
        }
        catch (VolumeException problem) when (problem.Error == VolumeError.Exists)
        {
            // Somebody was quicker.
        }
    }

    /// <summary>Makes a directory and what is above it, and syncs the names that are new.</summary>
    public static void MakePath(this IVolume volume, string path)
    {
        if (path.Length <= 1 || volume.TryStat(path, out _)) return;
        string above = path[..Math.Max(1, path.LastIndexOf('/'))];
        volume.MakePath(above);
        volume.MakeIfMissing(path);
        volume.SyncDirectory(above);
    }

    /// <summary>Writes a small file by way of a temporary name, so that it is there whole or as it was. With <paramref name="sync"/> its content is durable; the name is so after <see cref="IVolume.SyncDirectory"/>.</summary>
    public static void ReplaceFile(this IVolume volume, string path, string temporary, ReadOnlySpan<byte> content, bool sync)
    {
        using (IVolumeFile file = volume.Open(temporary, VolumeOpen.Replace))
        {
            file.Write(0, content);
            if (sync) file.SyncData();
        }

        volume.Rename(temporary, path);
    }
}
