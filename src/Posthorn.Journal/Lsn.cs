using System.Globalization;

namespace Posthorn.Journal;

/// <summary>A record's place in the one order of all records. It grows; between two runs it leaps, so that a number that was ever handed out never means another record.</summary>
public readonly record struct Lsn(long Value) : IComparable<Lsn>
{
    /// <summary>Before every record.</summary>
    public static Lsn None => default;

    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
    public static bool operator <(Lsn left, Lsn right) => left.Value < right.Value;
    public static bool operator >(Lsn left, Lsn right) => left.Value > right.Value;
    public static bool operator <=(Lsn left, Lsn right) => left.Value <= right.Value;
    public static bool operator >=(Lsn left, Lsn right) => left.Value >= right.Value;
}
