using System.Globalization;
using Posthorn.Core;

namespace Posthorn.Store.Maildir;

/// <summary>File names in a Maildir: <c>base:2,flags</c>, the base with sizes as <c>,S=</c> (on disk) and <c>,W=</c> (with CRLF).</summary>
internal static class MaildirName
{
    /// <summary>The name without the flags, which never changes while the message lives.</summary>
    internal static string BaseOf(string name)
    {
        int slash = name.LastIndexOf('/');
        int colon = name.IndexOf(':', slash + 1);
        return name[(slash + 1)..(colon < 0 ? name.Length : colon)];
    }

    /// <summary>What stands behind the name that never changes: <c>:2,</c> and the flags' letters, or nothing.</summary>
    internal static string SuffixOf(string name)
    {
        int colon = name.IndexOf(':', name.LastIndexOf('/') + 1);
        return colon < 0 ? "" : name[colon..];
    }

    /// <summary>The flags' letters behind <c>:2,</c>.</summary>
    internal static ReadOnlySpan<char> LettersOf(string name)
    {
        int at = name.IndexOf(":2,", StringComparison.Ordinal);
        return at < 0 ? default : name.AsSpan(at + 3);
    }

    /// <summary>A size in the name, such as <c>,S=</c>; -1 when there is none.</summary>
    internal static long SizeOf(string baseName, string key)
    {
        int at = baseName.IndexOf(key, StringComparison.Ordinal);
        if (at < 0) return -1;
        int start = at + key.Length, end = start;
        while (end < baseName.Length && char.IsAsciiDigit(baseName[end])) end++;
        return long.TryParse(baseName.AsSpan(start, end - start), NumberStyles.None, CultureInfo.InvariantCulture, out long size) ? size : -1;
    }

    internal static SystemFlags FlagsOf(ReadOnlySpan<char> letters)
    {
        SystemFlags flags = SystemFlags.None;
        foreach (char letter in letters)
        {
            flags |= letter switch
            {
                'D' => SystemFlags.Draft,
                'F' => SystemFlags.Flagged,
                'R' => SystemFlags.Answered,
                'S' => SystemFlags.Seen,
                'T' => SystemFlags.Deleted,
                _ => SystemFlags.None,
            };
        }

        return flags;
    }

    /// <summary>The file's name with its directory, <c>new/</c> or <c>cur/</c>. Letters that are nobody's stay (<paramref name="foreign"/>).</summary>
    internal static string Format(string baseName, bool isNew, SystemFlags flags, ReadOnlySpan<char> keywordLetters, ReadOnlySpan<char> foreign)
    {
        if (isNew) return "new/" + baseName;
        Span<char> letters = stackalloc char[128];
        int count = 0;
        Add(letters, ref count, (flags & SystemFlags.Draft) != 0, 'D');
        Add(letters, ref count, (flags & SystemFlags.Flagged) != 0, 'F');
        Add(letters, ref count, (flags & SystemFlags.Answered) != 0, 'R');
        Add(letters, ref count, (flags & SystemFlags.Seen) != 0, 'S');
        Add(letters, ref count, (flags & SystemFlags.Deleted) != 0, 'T');
        foreach (char letter in foreign)
            if (char.IsAsciiLetterUpper(letter) && !"DFRST".Contains(letter, StringComparison.Ordinal) && count < 60) Add(letters, ref count, true, letter);
        foreach (char letter in keywordLetters) Add(letters, ref count, true, letter);
        letters = letters[..count];
        letters.Sort();
        return string.Concat("cur/", baseName, ":2,", letters);
    }

    private static void Add(Span<char> letters, ref int count, bool set, char letter)
    {
        if (set) letters[count++] = letter;
    }
}
