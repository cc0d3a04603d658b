using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Imap.Wire;

/// <summary>Dates and flags as commands write them (RFC 9051 section 9).</summary>
internal static class ReaderDates
{
    private static readonly string[] Months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

    /// <summary>date-time: <c>"17-Jul-1996 02:44:25 -0700"</c>; a one-digit day stands behind a space.</summary>
    public static DateTimeOffset DateTime(this ref ImapReader args)
    {
        ReadOnlySpan<byte> text = args.Next == '"' ? args.String() : default;
        if (TryDateTime(text, out DateTimeOffset date)) return date;
        args.Fail("date-time");
        return default;
    }

    /// <summary>date: <c>1-Feb-1994</c>, quoted or not.</summary>
    public static DateOnly Date(this ref ImapReader args)
    {
        ReadOnlySpan<byte> text = args.Next == '"' ? args.String() : args.Atom();
        if (TryDate(text, out DateOnly date)) return date;
        args.Fail("date");
        return default;
    }

    /// <summary>flag-list in parentheses, or the bare flags that STORE allows.</summary>
    public static (SystemFlags Flags, KeywordSet Keywords) Flags(this ref ImapReader args)
    {
        if (!args.TryTake((byte)'(')) return args.BareFlags();
        if (args.TryTake((byte)')')) return (SystemFlags.None, KeywordSet.Empty);
        (SystemFlags, KeywordSet) flags = args.BareFlags();
        args.Take((byte)')');
        return flags;
    }

    private static (SystemFlags Flags, KeywordSet Keywords) BareFlags(this ref ImapReader args)
    {
        SystemFlags flags = SystemFlags.None;
        List<Keyword>? keywords = null;
        do
        {
            if (args.TryTake((byte)'\\'))
            {
                if (ToSystemFlag(args.Atom()) is { } flag) flags |= flag;
                else args.Refuse(Session.Completion.No("CANNOT", "Only \\Seen, \\Answered, \\Flagged, \\Deleted and \\Draft can be set"));
                continue;
            }
            ReadOnlySpan<byte> atom = args.Atom();
            if (args.Failed) break;
            if (Keyword.TryCreate(Encoding.ASCII.GetString(atom), out Keyword keyword)) (keywords ??= []).Add(keyword);
            else args.Refuse(Session.Completion.No("LIMIT", $"A keyword has at most {Keyword.MaxLength} characters"));
        }
        while (args.TrySpace());
        return (flags, keywords is null ? KeywordSet.Empty : KeywordSet.Of(keywords));
    }

    /// <summary>A system flag's name without the backslash. <c>\Recent</c> cannot be set and is passed over, as old clients send it back.</summary>
    private static SystemFlags? ToSystemFlag(ReadOnlySpan<byte> name)
    {
        if (Ascii.EqualsIgnoreCase(name, "Seen"u8)) return SystemFlags.Seen;
        if (Ascii.EqualsIgnoreCase(name, "Answered"u8)) return SystemFlags.Answered;
        if (Ascii.EqualsIgnoreCase(name, "Flagged"u8)) return SystemFlags.Flagged;
        if (Ascii.EqualsIgnoreCase(name, "Deleted"u8)) return SystemFlags.Deleted;
        if (Ascii.EqualsIgnoreCase(name, "Draft"u8)) return SystemFlags.Draft;
        return Ascii.EqualsIgnoreCase(name, "Recent"u8) ? SystemFlags.None : null;
    }

    private static bool TryDate(ReadOnlySpan<byte> text, out DateOnly date)
    {
        date = default;
        if (text.Length is < 10 or > 11) return false;
        int dash = text.IndexOf((byte)'-');
        if (dash is < 1 or > 2 || text.Length != dash + 9 || text[dash + 4] != '-') return false;
        if (!TryDigits(text[..dash], out int day) || !TryDigits(text.Slice(dash + 5, 4), out int year)) return false;
        int month = MonthOf(text.Slice(dash + 1, 3));
        if (month == 0 || year == 0 || day == 0 || day > System.DateTime.DaysInMonth(year, month)) return false;
        date = new(year, month, day);
        return true;
    }

    private static bool TryDateTime(ReadOnlySpan<byte> text, out DateTimeOffset result)
    {
        result = default;
        if (text.Length is < 25 or > 26) return false;
        if (text[0] == ' ') text = text[1..];
        int space = text.IndexOf((byte)' ');
        if (space < 0 || !TryDate(text[..space], out DateOnly date)) return false;
        ReadOnlySpan<byte> time = text[(space + 1)..];
        if (time.Length != 14 || time[2] != ':' || time[5] != ':' || time[8] != ' ' || time[9] is not ((byte)'+' or (byte)'-')) return false;
        if (!TryDigits(time[..2], out int hour) || !TryDigits(time.Slice(3, 2), out int minute) || !TryDigits(time.Slice(6, 2), out int second)) return false;
        if (!TryDigits(time.Slice(10, 2), out int zoneHours) || !TryDigits(time.Slice(12, 2), out int zoneMinutes)) return false;
        if (hour > 23 || minute > 59 || second > 60 || zoneMinutes > 59) return false;
        int zone = (zoneHours * 60 + zoneMinutes) * (time[9] == '-' ? -1 : 1);
        if (Math.Abs(zone) > 14 * 60) return false; // no clock on earth is further from UTC
        DateTimeOffset utc = new(date, new TimeOnly(hour, minute, Math.Min(second, 59)), TimeSpan.Zero);
        if (utc.Year is < 2 or > 9998) return false;
        result = utc.AddMinutes(-zone).ToOffset(TimeSpan.FromMinutes(zone));
        return true;
    }

    private static bool TryDigits(ReadOnlySpan<byte> text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static int MonthOf(ReadOnlySpan<byte> name)
    {
        for (int i = 0; i < Months.Length; i++)
            if (name.Length == 3 && (name[0] & ~32) == Months[i][0] && (name[1] & ~32) == Months[i][1] && (name[2] & ~32) == Months[i][2]) return i + 1;
        return 0;
    }
}
