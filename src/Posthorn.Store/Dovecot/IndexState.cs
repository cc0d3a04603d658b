using Posthorn.Core;

namespace Posthorn.Store.Dovecot;

/// <summary>One message as Dovecot's index knows it.</summary>
internal sealed class IndexMessage(uint uid)
{
    /// <summary>Set in <see cref="Flags"/> while the file's name does not say what the index does.</summary>
    internal const byte Dirty = 0x80;

    internal uint Uid { get; } = uid;

    /// <summary>Dovecot's bits: 1 \Answered, 2 \Flagged, 4 \Deleted, 8 \Seen, 16 \Draft.</summary>
    internal byte Flags { get; set; }

    /// <summary>Numbers of its keywords in <see cref="IndexState.Keywords"/>; null for none.</summary>
    internal SortedSet<int>? Keywords { get; set; }

    /// <summary>Only written: Dovecot's own are not kept apart, since every message counts as changed at the folder's highest.</summary>
    internal ulong ModSeq { get; init; }

    internal SystemFlags SystemFlags => ToSystem(Flags);

    internal static SystemFlags ToSystem(byte flags) =>
        ((flags & 1) != 0 ? SystemFlags.Answered : 0) | ((flags & 2) != 0 ? SystemFlags.Flagged : 0) | ((flags & 4) != 0 ? SystemFlags.Deleted : 0)
        | ((flags & 8) != 0 ? SystemFlags.Seen : 0) | ((flags & 16) != 0 ? SystemFlags.Draft : 0);

    internal static byte FromSystem(SystemFlags flags) => (byte)(
        ((flags & SystemFlags.Answered) != 0 ? 1 : 0) | ((flags & SystemFlags.Flagged) != 0 ? 2 : 0) | ((flags & SystemFlags.Deleted) != 0 ? 4 : 0)
        | ((flags & SystemFlags.Seen) != 0 ? 8 : 0) | ((flags & SystemFlags.Draft) != 0 ? 16 : 0));
}

/// <summary>What <c>dovecot.index</c> and its log say of one folder.</summary>
internal sealed class IndexState
{
    /// <summary>How many keywords have letters in file names. Those of higher numbers are in the index alone.</summary>
    internal const int Letters = 26;

    /// <summary>Keywords of one folder at most. 16,384: programs set some dozens, and their names are gone through for each use.</summary>
    internal const int MostKeywords = 1 << 14;

    /// <summary>Keywords of all messages together, and messages that changes go through: four of each of a million messages, and a second. More has somebody made up who wants our memory or time.</summary>
    private const long MostMarks = 4L << 20, MostSteps = 1L << 28;

    private readonly List<IndexMessage> _messages = [];
    private long _marks, _steps;

    /// <summary>The id that index, log and cache share.</summary>
    internal uint Id { get; set; }
    internal uint Validity { get; set; }
    internal uint NextUid { get; set; } = 1;
    internal uint FirstRecent { get; set; } = 1;

    /// <summary>Up to where in which log the index is true; and from where on changes may not be in the file names.</summary>
    internal uint LogSequence { get; set; }
    internal uint LogHead { get; set; }
    internal uint LogTail { get; set; }

    /// <summary>The highest MODSEQ that clients may have been told.</summary>
    internal ulong Highest { get; set; }

    internal List<string> Keywords { get; } = [];

    /// <summary>In order of UID.</summary>
    internal IReadOnlyList<IndexMessage> Messages => _messages;

    /// <summary>Whether it is of these UIDs. The index of a mailbox that nobody has opened yet does not name them.</summary>
    internal bool IsOf(UidValidity validity) => Validity == validity.Value || Validity == 0 && _messages.Count == 0;

    internal IndexMessage? Find(uint uid)
    {
        int at = FirstAt(uid);
        return at < _messages.Count && _messages[at].Uid == uid ? _messages[at] : null;
    }

    /// <summary>Adds a message behind the last; false when its UID is not above all others.</summary>
    internal bool Append(IndexMessage message)
    {
        if (message.Uid == 0 || _messages.Count > 0 && _messages[^1].Uid >= message.Uid) return false;
        _messages.Add(message);
        if (message.Uid != uint.MaxValue) NextUid = Math.Max(NextUid, message.Uid + 1);
        return true;
    }

    internal void Remove(uint first, uint last)
    {
        int from = FirstAt(first);
        int to = last == uint.MaxValue ? _messages.Count : FirstAt(last + 1);
        if (to > from) _messages.RemoveRange(from, to - from);
    }

    /// <summary>Whether more is asked for than any folder needs; what comes then is not taken in.</summary>
    internal bool IsTooMuch => Keywords.Count > MostKeywords || _marks > MostMarks || _steps > MostSteps;

    /// <summary>The messages of a range of UIDs, while it is not too much.</summary>
    internal IEnumerable<IndexMessage> Range(uint first, uint last)
    {
        for (int i = FirstAt(first); i < _messages.Count && _messages[i].Uid <= last && !IsTooMuch; i++)
        {
            _steps++;
            yield return _messages[i];
        }
    }

    /// <summary>Gives a message a keyword.</summary>
    internal void Mark(IndexMessage message, int keyword)
    {
        if ((message.Keywords ??= []).Add(keyword)) _marks++;
    }

    /// <summary>The number of a keyword, which it gets now if it has none.</summary>
    internal int KeywordNumber(string name)
    {
        _steps += Keywords.Count;
        int known = Keywords.FindIndex(keyword => string.Equals(keyword, name, StringComparison.OrdinalIgnoreCase));
        if (known >= 0) return known;
        Keywords.Add(name);
        return Keywords.Count - 1;
    }

    /// <summary>The keywords of a message that can stand in no file name.</summary>
    internal KeywordSet IndexOnly(IndexMessage message, SortedDictionary<int, string> letters) => KeywordsOf(message, name => !letters.Any(pair =>
        pair.Key < Letters && string.Equals(pair.Value, name, StringComparison.OrdinalIgnoreCase)));

    internal KeywordSet KeywordsOf(IndexMessage message) => KeywordsOf(message, _ => true);

    private KeywordSet KeywordsOf(IndexMessage message, Func<string, bool> where)
    {
        if (message.Keywords is not { Count: > 0 } numbers) return KeywordSet.Empty;
        List<Keyword> keywords = [];
        foreach (int number in numbers)
            if (number < Keywords.Count && where(Keywords[number]) && Keyword.TryCreate(Keywords[number], out Keyword keyword)) keywords.Add(keyword);
        return KeywordSet.Of(keywords);
    }

    private int FirstAt(uint uid)
    {
        int low = 0, high = _messages.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_messages[middle].Uid < uid) low = middle + 1;
            else high = middle;
        }

        return low;
    }
}
