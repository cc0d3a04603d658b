using System.Buffers.Binary;
using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store;
using Posthorn.Transport.Accept;

namespace Posthorn.Transport.Queue;

/// <summary>The files of messages that outlived a checkpoint: <c>queue/XX/ID</c> holds envelope and content, <c>queue/XX/ID.state</c> what became of recipients since.</summary>
/// <remarks>
/// A file is written under a temporary name, synced, and renamed; it never changes after. <c>XX</c> is the end of the id, which spreads evenly.
/// Layout: magic, length of the envelope, length of the state, envelope, state, content.
/// </remarks>
internal sealed class QueueSpool(IVolume volume, string directory, ILogger log)
{
    private const int HeaderSize = 12;
    private const int Magic = 0x31514850; // "PHQ1"
    private const string Temporary = ".tmp";
    private const string StateSuffix = ".state";

    /// <summary>Below so many files each is synced by itself; from here on the whole volume at once is cheaper.</summary>
    private const int SyncTogether = 8;

    private readonly HashSet<string> _folders = [];
    private readonly List<QueueId> _orphans = [];

    /// <summary>After <see cref="Load"/>: messages that are gone, perhaps not durably yet, and may have left a state.</summary>
    public IReadOnlyList<QueueId> Orphans => _orphans;

    /// <summary>Reads the envelopes of all messages; removes what a crash left half-written.</summary>
    public List<QueueEntry> Load()
    {
        List<QueueEntry> entries = [];
        if (!volume.TryStat(directory, out _)) volume.MakeDirectory(directory);
        foreach (VolumeEntry folder in volume.List(directory, times: false))
        {
            if (folder.Kind != VolumeKind.Directory) continue;
            _folders.Add(folder.Name);
            HashSet<string> names = [.. volume.List($"{directory}/{folder.Name}", times: false).Select(file => file.Name)];
            foreach (string name in names)
            {
                string path = $"{directory}/{folder.Name}/{name}";
                if (QueueIds.IsWellFormed(name))
                {
                    if (ReadEntry(path, name, names.Contains(name + StateSuffix)) is not { } entry) log.SpoolFileUnreadable(path);
                    else if (!entry.IsFinished) entries.Add(entry);
                    else Finish(entry.Message.Id);
                }
                else if (name.EndsWith(Temporary, StringComparison.Ordinal)) volume.Unlink(path);
                else if (name.EndsWith(StateSuffix, StringComparison.Ordinal) && name[..^StateSuffix.Length] is var id && !names.Contains(id) && QueueIds.IsWellFormed(id)) _orphans.Add(new(id));
            }
        }
        entries.Sort((a, b) => string.CompareOrdinal(a.Message.Id.Value, b.Message.Id.Value));
        return entries;
    }

    /// <summary>Writes a message under its temporary name.</summary>
    public void Write(QueueMessage message, QueueEntryState state, IMessageContent content)
    {
        byte[] envelope = QueueFormat.WriteAccept(message, null);
        byte[] stateBytes = QueueFormat.WriteState(state);
        byte[] header = new byte[HeaderSize];
        BinaryPrimitives.WriteInt32LittleEndian(header, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), envelope.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), stateBytes.Length);
        MakeFolder(message.Id);
        using IVolumeFile file = volume.Open(PathOf(message.Id) + Temporary, VolumeOpen.Replace);
        file.Write(0, [header, envelope, stateBytes]);
        long start = HeaderSize + envelope.Length + stateBytes.Length;
        byte[] buffer = new byte[64 * 1024];
        for (long at = 0; at < content.Length;)
        {
            int read = content.Read(at, buffer);
            if (read == 0) throw new IOException($"The content of {message.Id} ends early.");
            file.Write(start + at, buffer.AsSpan(0, read));
            at += read;
        }
    }

    /// <summary>Makes written files durable and gives them their names.</summary>
    public void SyncContent(IEnumerable<QueueId> ids)
    {
        QueueId[] all = [.. ids];
        if (all.Length == 0) return;
        if (all.Length >= SyncTogether) volume.SyncVolume(directory);
        foreach (QueueId id in all)
        {
            if (all.Length < SyncTogether)
            {
                using IVolumeFile file = volume.Open(PathOf(id) + Temporary, VolumeOpen.ReadWrite);
                file.SyncData();
            }
            volume.Rename(PathOf(id) + Temporary, PathOf(id));
        }
    }

    /// <summary>Removes what <see cref="Write"/> has written and <see cref="SyncContent"/> has not named.</summary>
    public void Discard(IEnumerable<QueueId> ids)
    {
        foreach (QueueId id in ids) RemoveFile(PathOf(id) + Temporary);
    }

    /// <summary>Writes and names the states of messages whose file exists.</summary>
    public void WriteStates(IReadOnlyList<(QueueId Id, QueueEntryState State)> states)
    {
        foreach ((QueueId id, QueueEntryState state) in states)
        {
            using IVolumeFile file = volume.Open(PathOf(id) + StateSuffix + Temporary, VolumeOpen.Replace);
            file.Write(0, QueueFormat.WriteState(state));
            if (states.Count < SyncTogether) file.SyncData();
        }
        if (states.Count >= SyncTogether) volume.SyncVolume(directory);
        foreach ((QueueId id, _) in states) volume.Rename(PathOf(id) + StateSuffix + Temporary, PathOf(id) + StateSuffix);
    }

    /// <summary>Makes the names of these files durable, or their absence.</summary>
    public void SyncNames(IReadOnlyCollection<QueueId> ids)
    {
        if (ids.Count >= SyncTogether) volume.SyncVolume(directory);
        else
            foreach (string folder in ids.Select(FolderOf).Distinct().Where(_folders.Contains))
                volume.SyncDirectory($"{directory}/{folder}");
    }

    /// <summary>Removes a message. Its state stays until <see cref="RemoveStates"/>: should the power bring the message back, it must not come without what was done to it.</summary>
    public void Remove(QueueId id) => RemoveFile(PathOf(id));

    /// <summary>Removes the states of messages whose removal is durable.</summary>
    public void RemoveStates(IEnumerable<QueueId> ids)
    {
        foreach (QueueId id in ids) RemoveFile(PathOf(id) + StateSuffix);
    }

    /// <summary>Opens the content; null when there is no such file.</summary>
    public IMessageContent? OpenContent(QueueId id)
    {
        if (!volume.TryStat(PathOf(id), out _)) return null;
        IVolumeFile file = volume.Open(PathOf(id), VolumeOpen.Read);
        if (ReadHeader(file, out int envelope, out int state)) return new Content(file, HeaderSize + envelope + state);
        file.Dispose();
        return null;
    }

    // It got its last word while the checkpoint wrote it, and the server did not live to remove it.
    private void Finish(QueueId id)
    {
        Remove(id);
        _orphans.Add(id);
    }

    private void RemoveFile(string path)
    {
        if (volume.TryStat(path, out _)) volume.Unlink(path);
    }

    private QueueEntry? ReadEntry(string path, string name, bool hasState)
    {
        using IVolumeFile file = volume.Open(path, VolumeOpen.Read);
        if (!ReadHeader(file, out int envelopeLength, out int stateLength)) return null;
        byte[] bytes = new byte[envelopeLength + stateLength];
        if (file.Read(HeaderSize, bytes) != bytes.Length) return null;
        if (!QueueFormat.TryReadAccept(bytes.AsSpan(0, envelopeLength), out QueueMessage? message, out _) || message.Id.Value != name) return null;
        if (!QueueFormat.TryReadState(bytes.AsSpan(envelopeLength), out QueueEntryState? state)) return null;
        if (hasState && ReadState(path + StateSuffix) is { } newer) state = newer;
        QueueEntry entry = new(message, 0) { IsSpooled = true, HasFile = true };
        entry.Restore(state);
        return entry;
    }

    private QueueEntryState? ReadState(string path)
    {
        using IVolumeFile file = volume.Open(path, VolumeOpen.Read);
        if (file.Length > QueueFormat.MaxPayload) return null;
        byte[] bytes = new byte[file.Length];
        int read = file.Read(0, bytes);
        return QueueFormat.TryReadState(bytes.AsSpan(0, read), out QueueEntryState? state) ? state : null;
    }

    private static bool ReadHeader(IVolumeFile file, out int envelope, out int state)
    {
        (envelope, state) = (0, 0);
        Span<byte> header = stackalloc byte[HeaderSize];
        if (file.Read(0, header) != HeaderSize || BinaryPrimitives.ReadInt32LittleEndian(header) != Magic) return false;
        envelope = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
        state = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        return envelope is > 0 and <= QueueFormat.MaxPayload && state is > 0 and <= QueueFormat.MaxPayload;
    }

    private void MakeFolder(QueueId id)
    {
        string folder = FolderOf(id);
        if (!_folders.Add(folder)) return;
        if (!volume.TryStat($"{directory}/{folder}", out _)) volume.MakeDirectory($"{directory}/{folder}");
        volume.SyncDirectory(directory);
    }

    private static string FolderOf(QueueId id) => id.Value[^2..];
    private string PathOf(QueueId id) => $"{directory}/{FolderOf(id)}/{id}";

    private sealed class Content(IVolumeFile file, long start) : IMessageContent
    {
        public long Length { get; } = file.Length - start;
        public int Read(long offset, Span<byte> into) => file.Read(start + offset, into);

        public ValueTask DisposeAsync()
        {
            file.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
