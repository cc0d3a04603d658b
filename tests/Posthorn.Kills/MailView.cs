using System.Globalization;
using System.Text.RegularExpressions;

namespace Posthorn.Kills;

/// <summary>What a QRESYNC client believes of a mailbox (RFC 7162): it is kept over kills, and must be right after each resynchronisation.</summary>
internal sealed partial class MailView
{
    private ulong _told;

    /// <summary>Flags by UID, as told last.</summary>
    public Dictionary<uint, string> Flags { get; } = [];

    /// <summary>The MODSEQ to resynchronise from.</summary>
    public ulong ModSeq { get; private set; }

    /// <summary>No message from here on was ever seen.</summary>
    public uint Next { get; private set; } = 1;

    /// <summary>Believes what lines say. New messages count when they were asked for from <see cref="Next"/> on: news of one may come before those below it.</summary>
    public void Apply(IEnumerable<ImapLine> lines, bool askedForNew = false)
    {
        foreach (ImapLine line in lines)
        {
            if (Vanished().Match(line.Text) is { Success: true } vanished)
            {
                // A set may name numbers that were never there.
                foreach (string part in vanished.Groups[1].Value.Split(','))
                {
                    string[] ends = part.Split(':');
                    uint first = uint.Parse(ends[0], CultureInfo.InvariantCulture), last = uint.Parse(ends[^1], CultureInfo.InvariantCulture);
                    foreach (uint uid in Flags.Keys.Where(uid => uid >= first && uid <= last).ToArray()) Flags.Remove(uid);
                }
            }
            else if (line.Text.Contains(" FETCH (", StringComparison.Ordinal) && FlagsItem().Match(line.Text) is { Success: true } flags)
            {
                uint uid = ImapClient.UidOf(line.Text);
                if (uid >= Next && !askedForNew) continue;
                Flags[uid] = Normal(flags.Groups[1].Value);
                Next = Math.Max(Next, uid + 1);
                if (ModSeqItem().Match(line.Text) is { Success: true } modSeq) _told = Math.Max(_told, ulong.Parse(modSeq.Groups[1].Value, CultureInfo.InvariantCulture));
            }
        }
    }

    /// <summary>A command that tells all news has ended: nothing below what was told is missing.</summary>
    public void Commit(ulong? highest = null) => ModSeq = Math.Max(_told, highest ?? ModSeq);

    public static string Normal(string flags) =>
        string.Join(' ', flags.Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(f => f != "\\Recent").Order(StringComparer.Ordinal));

    [GeneratedRegex(@"^\* VANISHED (?:\(EARLIER\) )?(\S+)")]
    private static partial Regex Vanished();

    [GeneratedRegex(@"FLAGS \(([^)]*)\)")]
    private static partial Regex FlagsItem();

    [GeneratedRegex(@"MODSEQ \((\d+)\)")]
    private static partial Regex ModSeqItem();
}
