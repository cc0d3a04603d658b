namespace Posthorn.Mime;

/// <summary>Reads the dates of mail: RFC 5322 section 3.3 with the obsolete forms of section 4.3, and what else is seen: asctime, ISO 8601, dashes, AM and PM.</summary>
/// <remarks>RFC 5256 section 2.2: an invalid zone is UTC, an invalid time is midnight. Only a date that cannot be made out is refused.</remarks>
public static class MailDate
{
    // No date is longer with all its comments; more would only cost time.
    private const int MaxLength = 512;

    private static readonly string[] Months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

    private struct Parts
    {
        public int Day, Month, Year, Hour, Minute, Second, Zone;
        public bool HasTime, HasZone, Afternoon, Morning;
    }

    /// <summary>Reads a raw field value.</summary>
    public static bool TryParse(ReadOnlySpan<byte> raw, out DateTimeOffset date)
    {
        date = default;
        if (raw.Length > MaxLength) raw = raw[..MaxLength];
        Parts parts = new() { Year = -1 };
        int at = 0;
        while ((at = Tokens.SkipBlankAndComments(raw, at)) < raw.Length)
        {
            int end = at;
            while (end < raw.Length && !Octets.IsBlank(raw[end]) && raw[end] is not ((byte)',' or (byte)'(' or (byte)'"')) end++;
            if (end > at) Word(raw[at..end], ref parts);
            at = Math.Max(end, at + 1);
            if (end < raw.Length && raw[end] == '(') at = end;
        }
        return TryMake(parts, out date);
    }

    private static bool TryMake(Parts parts, out DateTimeOffset date)
    {
        date = default;
        if (parts.Month == 0 || parts.Year < 0) return false;
        if (parts.Year is < 1 or > 9998 || parts.Day < 1 || parts.Day > DateTime.DaysInMonth(parts.Year, parts.Month)) return false;
        if (parts.Afternoon && parts.Hour < 12) parts.Hour += 12;
        if (parts.Morning && parts.Hour == 12) parts.Hour = 0;
        // A leap second has no place of its own.
        if (parts.Second == 60) parts.Second = 59;
        if (parts.Hour > 23 || parts.Minute > 59 || parts.Second > 59) parts.Hour = parts.Minute = parts.Second = 0;
        DateTime local = new(parts.Year, parts.Month, parts.Day, parts.Hour, parts.Minute, parts.Second, DateTimeKind.Unspecified);
        TimeSpan zone = TimeSpan.FromMinutes(parts.Zone);
        if (parts.Zone is < -14 * 60 or > 14 * 60 || local.Ticks - zone.Ticks < 0) zone = TimeSpan.Zero;
        date = new(local, zone);
        return true;
    }

    private static void Word(ReadOnlySpan<byte> word, ref Parts parts)
    {
        byte first = word[0];
        if (first is (byte)'+' or (byte)'-' && word.Length > 1 && char.IsAsciiDigit((char)word[1])) Zone(word, ref parts);
        else if (word.Contains((byte)':') && char.IsAsciiDigit((char)first) && !Iso(word, ref parts)) Time(word, ref parts);
        else if (word.Contains((byte)':')) return;
        else if (word.IndexOfAny((byte)'-', (byte)'/') > 0 && char.IsAsciiDigit((char)first)) Dashed(word, ref parts);
        else if (char.IsAsciiDigit((char)first)) Number(word, ref parts);
        else if (char.IsAsciiLetter((char)first)) Letters(word, ref parts);
    }

    private static void Number(ReadOnlySpan<byte> word, ref Parts parts)
    {
        if (!Digits(word, out int value, out int used)) return;
        if (parts.Day == 0 && used <= 2 && value is > 0 and <= 31) parts.Day = value;
        else if (parts.Year < 0) parts.Year = FullYear(value, used);
        // "1Jan", "2nd": what follows the digits.
        if (used < word.Length && parts.Month == 0) Letters(word[used..], ref parts);
    }

    // RFC 5322 section 4.3: two digits from 50 up are of the last century, three count from 1900.
    private static int FullYear(int value, int digits) => digits switch
    {
        1 or 2 => value < 50 ? 2000 + value : 1900 + value,
        3 => 1900 + value,
        _ => value,
    };

    private static void Letters(ReadOnlySpan<byte> word, ref Parts parts)
    {
        if (word.Length >= 3 && parts.Month == 0)
        {
            for (int i = 0; i < Months.Length; i++)
            {
                if (!System.Text.Ascii.EqualsIgnoreCase(word[..3], Months[i])) continue;
                parts.Month = i + 1;
                return;
            }
        }
        if (!parts.HasTime) return;
        if (Octets.Is(word, "pm"u8)) parts.Afternoon = true;
        else if (Octets.Is(word, "am"u8)) parts.Morning = true;
        else if (!parts.HasZone) NamedZone(word, ref parts);
    }

    // Other names, the single letters of RFC 822 included, say nothing that can be trusted (RFC 5322 section 4.3): UTC.
    private static void NamedZone(ReadOnlySpan<byte> word, ref Parts parts)
    {
        if (word.Length > 4 && (Octets.Is(word[..3], "gmt"u8) || Octets.Is(word[..3], "utc"u8)) && word[3] is (byte)'+' or (byte)'-')
        {
            Zone(word[3..], ref parts);
            return;
        }
        int hours = Octets.Is(word, "edt"u8) ? -4 : Octets.Is(word, "est"u8) || Octets.Is(word, "cdt"u8) ? -5
            : Octets.Is(word, "cst"u8) || Octets.Is(word, "mdt"u8) ? -6 : Octets.Is(word, "mst"u8) || Octets.Is(word, "pdt"u8) ? -7
            : Octets.Is(word, "pst"u8) ? -8 : Octets.Is(word, "cet"u8) || Octets.Is(word, "met"u8) || Octets.Is(word, "bst"u8) ? 1
            : Octets.Is(word, "cest"u8) || Octets.Is(word, "mest"u8) || Octets.Is(word, "eet"u8) ? 2 : Octets.Is(word, "eest"u8) || Octets.Is(word, "msk"u8) ? 3
            : Octets.Is(word, "jst"u8) || Octets.Is(word, "kst"u8) ? 9 : 0;
        parts.Zone = hours * 60;
        parts.HasZone = hours != 0 || Octets.Is(word, "gmt"u8) || Octets.Is(word, "ut"u8) || Octets.Is(word, "utc"u8) || Octets.Is(word, "z"u8);
    }

    // +hhmm, +hh:mm, +hh
    private static void Zone(ReadOnlySpan<byte> word, ref Parts parts)
    {
        if (parts.HasZone || !Digits(word[1..], out int value, out int used)) return;
        int minutes;
        if (used <= 2)
        {
            minutes = value * 60;
            if (word.Length > used + 2 && word[used + 1] == ':' && Digits(word[(used + 2)..], out int rest, out _)) minutes += rest;
        }
        else minutes = used <= 4 && value % 100 < 60 ? value / 100 * 60 + value % 100 : 0;
        parts.Zone = word[0] == '-' ? -minutes : minutes;
        parts.HasZone = true;
    }

    // hh:mm[:ss[.f]] and what is glued to it.
    private static void Time(ReadOnlySpan<byte> word, ref Parts parts)
    {
        if (parts.HasTime || !Digits(word, out parts.Hour, out int used) || used >= word.Length || word[used] != ':') return;
        parts.HasTime = true;
        word = word[(used + 1)..];
        if (!Digits(word, out parts.Minute, out used)) return;
        word = word[used..];
        if (word.Length > 1 && word[0] is (byte)':' or (byte)'.' && Digits(word[1..], out parts.Second, out used)) word = word[(used + 1)..];
        if (word.Length > 1 && word[0] is (byte)'.' && Digits(word[1..], out _, out used)) word = word[(used + 1)..];
        if (word.IsEmpty) return;
        if (word[0] is (byte)'+' or (byte)'-') Zone(word, ref parts);
        else if (char.IsAsciiLetter((char)word[0])) Letters(word, ref parts);
    }

    // 2006-01-02T15:04:05Z
    private static bool Iso(ReadOnlySpan<byte> word, ref Parts parts)
    {
        int t = word.IndexOfAny((byte)'T', (byte)'t');
        if (t is not (8 or 9 or 10) || word[..t].IndexOf((byte)'-') != 4) return false;
        Dashed(word[..t], ref parts);
        Time(word[(t + 1)..], ref parts);
        return true;
    }

    // 2-Jan-2006, 02-01-2006, 2006-01-02, 1/2/2006 (month first, as who writes slashes mostly means it)
    private static void Dashed(ReadOnlySpan<byte> word, ref Parts parts)
    {
        bool slashes = word.Contains((byte)'/');
        if (!Digits(word, out int first, out int used) || used + 1 >= word.Length) return;
        bool yearFirst = used == 4;
        word = word[(used + 1)..];
        int middle = 0;
        if (char.IsAsciiLetter((char)word[0]))
        {
            Letters(word, ref parts);
            used = Math.Max(word.IndexOfAny((byte)'-', (byte)'/'), 0);
        }
        else if (!Digits(word, out middle, out used)) return;
        if (used == 0 || used + 1 >= word.Length || !Digits(word[(used + 1)..], out int last, out int lastDigits)) return;
        if (middle > 0 && parts.Month == 0)
        {
            int month = slashes && !yearFirst ? first : middle;
            if (slashes && !yearFirst) first = middle;
            if (month > 12) return;
            parts.Month = month;
        }
        parts.Day = yearFirst ? last : first;
        parts.Year = yearFirst ? first : FullYear(last, lastDigits);
    }

    // At most nine digits, so that nothing overflows.
    private static bool Digits(ReadOnlySpan<byte> text, out int value, out int used)
    {
        value = 0;
        for (used = 0; used < text.Length && used < 9 && char.IsAsciiDigit((char)text[used]); used++) value = value * 10 + text[used] - '0';
        return used > 0;
    }
}
