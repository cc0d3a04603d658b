using Posthorn.Journal.Volume;
using Posthorn.Store.Maildir;

namespace Posthorn.Store.Dovecot;

/// <summary>What can be known from the index files of one of Dovecot's folders. Damage is never an error: it is named, and what is left counts.</summary>
/// <param name="State">The folder as the index has it; null when none of its files could be read.</param>
/// <param name="IsWhole">Whether the state is what Dovecot itself would see. Otherwise only the numbers are of use, and they may be too low.</param>
/// <param name="Unwritten">UIDs whose flags in the index are newer than those in the files' names.</param>
/// <param name="Problems">What was wrong with which file.</param>
internal sealed record FolderIndex(IndexState? State, bool IsWhole, IReadOnlySet<uint> Unwritten, IReadOnlyList<string> Problems)
{
    private sealed record Log(byte[] Bytes, IndexLogHead Head);

    /// <summary>Reads the index of a folder in a tree; files larger than <paramref name="limit"/> octets are left aside.</summary>
    internal static FolderIndex? Read(MaildirTree tree, string folder, long limit)
    {
        foreach (string name in (ReadOnlySpan<string>)[IndexFile.FileName, IndexLog.OlderName, IndexLog.FileName])
        {
            if (!tree.Volume.TryStat($"{folder}/{name}", out VolumeStat stat)) continue;
            if (stat.Kind != VolumeKind.File || stat.Length > limit) return new(null, false, new HashSet<uint>(), [$"{name} has {stat.Length} octets, the limit is {limit}"]);
        }

        return Read(name => tree.ReadBytes($"{folder}/{name}"));
    }

    /// <summary>Reads a folder's index through a function that gives a file's bytes; null when it has none.</summary>
    internal static FolderIndex? Read(Func<string, byte[]?> open)
    {
        byte[]? index = open(IndexFile.FileName);
        List<string> problems = [];
        List<Log> logs = [];
        bool anyLog = false;
        foreach (string name in (ReadOnlySpan<string>)[IndexLog.OlderName, IndexLog.FileName])
        {
            if (open(name) is not { } bytes) continue;
            anyLog = true;
            if (IndexLog.ReadHead(bytes, out string wrong) is { } head) logs.Add(new(bytes, head));
            else problems.Add(wrong);
        }

        if (index is null && !anyLog) return null;
        IndexState? state = null;
        if (index is not null && (state = IndexFile.Read(index, out string problem)) is null) problems.Add(problem);
        HashSet<uint> unwritten = [];
        bool whole = problems.Count == 0 & Play(ref state, logs, unwritten, problems);
        if (state is not null)
            foreach (IndexMessage message in state.Messages)
                if ((message.Flags & IndexMessage.Dirty) != 0) unwritten.Add(message.Uid);
        return new(state, whole, unwritten, problems);
    }

    // Which logs belong to the index, and from where on.
    private static bool Play(ref IndexState? state, List<Log> logs, HashSet<uint> unwritten, List<string> problems)
    {
        logs.Sort((one, other) => one.Head.Sequence.CompareTo(other.Head.Sequence));
        if (logs.Count == 0) return state is not null;
        bool whole = true;
        IndexState? read = state;
        int start = read is null ? -1 : logs.FindIndex(log => log.Head.Sequence == read.LogSequence && log.Head.Id == read.Id);
        uint from = start < 0 ? 0 : read!.LogHead;
        if (start < 0 && read is not null) start = logs.FindIndex(log => log.Head.Id == read.Id && log.Head.PreviousSequence == read.LogSequence && log.Head.PreviousOffset == read.LogHead);
        if (start < 0 && (start = logs.FindLastIndex(log => log.Head.PreviousSequence == 0)) >= 0) state = new() { Id = logs[start].Head.Id, Highest = read?.Highest ?? 0 };
        if (start < 0)
        {
            // The chain is broken, but the logs still say how high MODSEQ went.
            problems.Add($"{IndexFile.FileName} and {IndexLog.FileName} do not belong together");
            (whole, start, state) = (false, 0, new() { Validity = read?.Validity ?? 0, NextUid = read?.NextUid ?? 1, Highest = read?.Highest ?? 0 });
        }

        for (int i = start; i < logs.Count; i++)
        {
            Log log = logs[i];
            if (i > start && log.Head.PreviousSequence != logs[i - 1].Head.Sequence && log.Head.PreviousSequence == 0) state = new() { Id = log.Head.Id, Highest = state!.Highest };
            // Without a state to play into, messages in the log mean nothing; its numbers do.
            if (IndexLog.Play(log.Bytes, log.Head, state!, whole ? from : uint.MaxValue, unwritten, out string problem)) from = 0;
            else
            {
                problems.Add(problem);
                return false;
            }
        }

        return whole;
    }
}
