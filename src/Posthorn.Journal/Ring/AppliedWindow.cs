namespace Posthorn.Journal.Ring;

/// <summary>Which records are applied: one bit for each from the lowest that is not. Guarded by the journal's lock.</summary>
internal sealed class AppliedWindow
{
    private ulong[] _words = new ulong[16];

    internal AppliedWindow(long first) => (Low, Next) = (first, first);

    /// <summary>The lowest record that is not applied; everything below is.</summary>
    internal long Low { get; private set; }

    /// <summary>One above the highest record.</summary>
    internal long Next { get; private set; }

    internal void Add(long lsn)
    {
        Next = lsn + 1;
        if (Next - Low > _words.Length * 64L - 64) Grow();
    }

    /// <summary>Marks one. A second time changes nothing.</summary>
    internal void Mark(long lsn)
    {
        if (lsn < Low || lsn >= Next) return;
        _words[Word(lsn)] |= 1UL << (int)(lsn & 63);
        while (Low < Next && (_words[Word(Low)] & (1UL << (int)(Low & 63))) != 0)
        {
            _words[Word(Low)] &= ~(1UL << (int)(Low & 63));
            Low++;
        }
    }

    private int Word(long lsn) => (int)((lsn >> 6) & (_words.Length - 1));

    private void Grow()
    {
        ulong[] old = _words;
        _words = new ulong[old.Length * 2];
        for (long group = Low >> 6; group <= (Next - 1) >> 6; group++)
            _words[(int)(group & (_words.Length - 1))] = old[(int)(group & (old.Length - 1))];
    }
}
