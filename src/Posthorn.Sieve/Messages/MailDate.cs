using System.Globalization;

namespace Posthorn.Sieve.Messages;

/// <summary>The date-time of RFC 5322 section 3.3, obsolete zones and years included.</summary>
internal static class MailDate
{
    private static readonly string[] Months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    private static readonly string[] Days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

    /// <summary>Reads a field's value: the date after the last semicolon, or the whole.</summary>
    public static DateTimeOffset? Parse(string field)
    {
        int semicolon = field.LastIndexOf(';');
        return ParseDate(StripComments(semicolon >= 0 ? field[(semicolon + 1)..] : field));
    }

    private static string StripComments(string text)
    {
        if (!text.Contains('(', StringComparison.Ordinal)) return text;
        System.Text.StringBuilder plain = new();
        int depth = 0;
        foreach (char c in text)
        {
            if (c == '(') depth++;
            else if (c == ')') depth = Math.Max(0, depth - 1);
            else if (depth == 0) plain.Append(c);
        }
        return plain.ToString();
    }

    private static DateTimeOffset? ParseDate(string text)
    {
        string[] words = text.Replace(',', ' ').Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        int i = 0;
        if (words.Length > 0 && Array.Exists(Days, d => words[0].StartsWith(d, StringComparison.OrdinalIgnoreCase))) i++;
        if (words.Length < i + 4) return null;
        int month = words[i + 1].Length >= 3 ? Array.FindIndex(Months, m => words[i + 1].Equals(m, StringComparison.OrdinalIgnoreCase)) + 1 : 0;
        if (month == 0 || !Number(words[i], 1, 2, out int day) || !Number(words[i + 2], 2, 4, out int year)) return null;
        if (words[i + 2].Length == 2) year += year < 50 ? 2000 : 1900;
        else if (words[i + 2].Length == 3) year += 1900;
        string[] time = words[i + 3].Split(':');
        int second = 0;
        if (time.Length is < 2 or > 3 || !Number(time[0], 1, 2, out int hour) || !Number(time[1], 1, 2, out int minute)) return null;
        if (time.Length == 3 && !Number(time[2], 1, 2, out second)) return null;
        if (year is < 1 or > 9999 || hour > 23 || minute > 59 || second > 60 || day < 1 || day > DateTime.DaysInMonth(year, month)) return null;
        TimeSpan offset = words.Length > i + 4 ? Zone(words[i + 4]) : TimeSpan.Zero;
        try { return new DateTimeOffset(year, month, day, hour, minute, Math.Min(second, 59), offset); }
        catch (ArgumentOutOfRangeException) { return null; }
    }

    private static bool Number(string word, int min, int max, out int value)
    {
        value = 0;
        return word.Length >= min && word.Length <= max && int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }

    private static TimeSpan Zone(string zone)
    {
        if (ParseOffset(zone) is { } offset) return offset;
        return zone.ToUpperInvariant() switch
        {
            "EST" or "CDT" => TimeSpan.FromHours(-5),
            "EDT" => TimeSpan.FromHours(-4),
            "CST" or "MDT" => TimeSpan.FromHours(-6),
            "MST" or "PDT" => TimeSpan.FromHours(-7),
            "PST" => TimeSpan.FromHours(-8),
            _ => TimeSpan.Zero, // GMT, UT, Z, military letters and the unknown (RFC 5322 section 4.3)
        };
    }

    /// <summary>Reads <c>+hhmm</c> or <c>-hhmm</c>.</summary>
    public static TimeSpan? ParseOffset(string zone)
    {
        if (zone.Length != 5 || zone[0] is not ('+' or '-')) return null;
        if (!int.TryParse(zone.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out int digits)) return null;
        TimeSpan offset = new(digits / 100, digits % 100, 0);
        if (digits % 100 > 59 || offset > TimeSpan.FromHours(14)) return null;
        return zone[0] == '-' ? -offset : offset;
    }

    /// <summary><c>+hhmm</c> or <c>-hhmm</c>; zero has a plus.</summary>
    public static string FormatOffset(TimeSpan offset)
    {
        TimeSpan size = offset.Duration();
        return string.Create(CultureInfo.InvariantCulture, $"{(offset < TimeSpan.Zero ? '-' : '+')}{size.Hours:00}{size.Minutes:00}");
    }

    /// <summary>The form of a Date field.</summary>
    public static string Format(DateTimeOffset date) =>
        date.ToString("ddd, d MMM yyyy HH:mm:ss ", CultureInfo.InvariantCulture) + FormatOffset(date.Offset);

    /// <summary>The restricted ISO 8601 form of RFC 5260 section 4.2.</summary>
    public static string FormatIso(DateTimeOffset date) =>
        date.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture) +
        (date.Offset == TimeSpan.Zero ? "Z" : date.ToString("zzz", CultureInfo.InvariantCulture));
}
