using System.Runtime.CompilerServices;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>The threads of all messages of a version of a mailbox as they were told last, for all its sessions: mail programs ask for the same with each look (RFC 5256 section 3).</summary>
/// <remarks>A forest is kept as what is written of it: positions, and marks below zero. Bounded: one for each version, some twelve octets for each message, gone with the version.</remarks>
internal static class ThreadForests
{
    /// <summary>What stands between positions.</summary>
    public const int Open = -1, Close = -2, Blank = -3;

    private sealed record Forest(bool ByReferences, int[] Marks);

    private static readonly ConditionalWeakTable<MailboxVersion, Forest> Kept = [];

    /// <summary>The threads of all messages, if they are asked for and known.</summary>
    public static int[]? Of(MailboxVersion version, bool byReferences, List<int> found) =>
        found.Count == version.Count && Kept.TryGetValue(version, out Forest? forest) && forest.ByReferences == byReferences ? forest.Marks : null;

    /// <summary>Keeps the threads of a version's messages, if they are those of all.</summary>
    public static void Keep(MailboxVersion version, bool byReferences, int[] marks)
    {
        if (version.Count > 0 && marks.Count(mark => mark >= 0) == version.Count) Kept.AddOrUpdate(version, new(byReferences, marks));
    }
}
