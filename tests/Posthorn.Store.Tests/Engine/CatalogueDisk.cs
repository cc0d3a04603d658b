namespace Posthorn.Store.Tests.Engine;

/// <summary>The catalogues' files, which lie outside the volume that loses its power, and what a power cut may leave of them.</summary>
/// <remarks>SQLite adds to its log and syncs it when the volume is synced: any prefix of the log not before the last sync may survive, the end torn within a page. A file that was never synced may be gone.</remarks>
internal sealed class CatalogueDisk(string directory)
{
    private const string Database = "catalogue.db";
    private readonly Dictionary<string, (byte[] Data, byte[] Log)> _synced = [];

    internal string Directory => directory;

    /// <summary>The volume was synced.</summary>
    internal void Sync()
    {
        foreach ((string path, byte[] data, byte[] log) in Read()) _synced[path] = (data, log);
    }

    /// <summary>Reads everything as the last moment had it; then the databases may be closed.</summary>
    internal List<(string Path, byte[] Data, byte[] Log)> Read()
    {
        List<(string, byte[], byte[])> files = [];
        foreach (string path in System.IO.Directory.EnumerateFiles(directory, Database, SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            files.Add((path, ReadShared(path), File.Exists(path + "-wal") ? ReadShared(path + "-wal") : []));
        return files;
    }

    /// <summary>Leaves of each database, independently, what a disk may hold.</summary>
    internal string Crash(List<(string Path, byte[] Data, byte[] Log)> files, Random random, CatalogueFate? always)
    {
        List<string> fates = [];
        foreach ((string path, byte[] data, byte[] log) in files)
        {
            foreach (string old in (string[])[path, path + "-wal", path + "-shm"])
                if (File.Exists(old)) File.Delete(old);
            CatalogueFate fate = always ?? (CatalogueFate)random.Next(4);
            bool known = _synced.TryGetValue(path, out (byte[] Data, byte[] Log) synced);
            fates.Add($"{fate} (synced {(known ? synced.Log.Length : 0)} of {log.Length})");
            if (fate == CatalogueFate.Lost || !known && fate != CatalogueFate.Kept) continue;
            // A database that was checkpointed since has another log: its own sync made that durable, so all of it is there.
            bool prefix = known && synced.Data.AsSpan().SequenceEqual(data) && log.AsSpan().StartsWith(synced.Log);
            int length = !prefix || fate == CatalogueFate.Kept ? log.Length
                : fate == CatalogueFate.RolledBack ? synced.Log.Length
                : synced.Log.Length + random.Next(log.Length - synced.Log.Length + 1);
            File.WriteAllBytes(path, data);
            if (length > 0) File.WriteAllBytes(path + "-wal", log[..length]);
        }

        _synced.Clear();
        Sync(); // what survived is durable
        return string.Join(", ", fates);
    }

    private static byte[] ReadShared(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }
}
