using Posthorn.Core;

namespace Posthorn.Transport.Accept;

/// <summary>Makes queue ids: eleven characters that grow with time, so that a list in order of ids is in order of age.</summary>
/// <param name="time">The clock.</param>
/// <param name="newest">The newest id in use: all that are made are above it, even if the clock was set back.</param>
internal sealed class QueueIds(TimeProvider time, QueueId? newest = null)
{
    // No vowels: no words. In ASCII order, so that ids sort by age as text.
    private const string Alphabet = "0123456789BCDFGHJKLMNPQRSTVWXYZb";
    private const int Length = 11;
    private static readonly DateTimeOffset Start = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private long _last = newest is { } id ? NumberOf(id.Value) : 0;

    /// <summary>The next id: the microsecond of now, or the one after the last id when that is later.</summary>
    public QueueId Next()
    {
        long now = (time.GetUtcNow() - Start).Ticks / TimeSpan.TicksPerMicrosecond;
        long last, next;
        do
        {
            last = Volatile.Read(ref _last);
            next = Math.Max(now, last + 1);
        }
        while (Interlocked.CompareExchange(ref _last, next, last) != last);
        return new(string.Create(Length, next, static (text, value) =>
        {
            for (int i = text.Length - 1; i >= 0; i--, value >>= 5) text[i] = Alphabet[(int)(value & 31)];
        }));
    }

    private static long NumberOf(string text)
    {
        if (!IsWellFormed(text)) return 0;
        long number = 0;
        foreach (char c in text) number = number << 5 | (long)Alphabet.IndexOf(c, StringComparison.Ordinal);
        return number;
    }

    /// <summary>True for what <see cref="Next"/> could have made: such text is safe as a file name.</summary>
    public static bool IsWellFormed(ReadOnlySpan<char> text)
    {
        if (text.Length != Length) return false;
        foreach (char c in text)
            if (!Alphabet.Contains(c, StringComparison.Ordinal)) return false;
        return true;
    }
}
