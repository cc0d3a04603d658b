using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>What the last look at a folder saw.</summary>
internal sealed class FolderSight
{
    internal DateTimeOffset NewTime { get; set; }
    internal DateTimeOffset CurTime { get; set; }

    /// <summary>When it was looked at, and how long that took.</summary>
    internal DateTimeOffset At { get; set; }
    internal TimeSpan Took { get; set; }

    /// <summary>Messages whose files were not there at the last look, and when that was seen first.</summary>
    internal Dictionary<Uid, DateTimeOffset> Missing { get; set; } = [];

    /// <summary>Whether the next look follows an unclean end, so that files of ours without a message are left-overs.</summary>
    internal bool AfterRecovery { get; set; }

    /// <summary>Whether the mailbox was made anew without its list: then no file is a left-over, however it is called.</summary>
    internal bool IsUnlisted { get; set; }

    /// <summary>Whether a look would find nothing new, as far as the directories' times say.</summary>
    internal bool IsOf(DateTimeOffset newTime, DateTimeOffset curTime) =>
        newTime == NewTime && curTime == CurTime && Missing.Count == 0 && !PutOff && !AfterRecovery && !IsUnlisted;

    /// <summary>Whether a look is due although nobody tells of news: the last one was put off, lacked a file, or may have been too early to see everything.</summary>
    internal bool IsDue => PutOff || Missing.Count > 0 || NewTime == default;

    internal bool PutOff { get; set; }

    internal SemaphoreSlim Turn { get; } = new(1, 1);
}
