using System.Globalization;

namespace Posthorn.Core;

/// <summary>A message's unique identifier in its mailbox, from 1 up (RFC 9051 section 2.3.1.1).</summary>
public readonly record struct Uid(uint Value) : IComparable<Uid>
{
    public int CompareTo(Uid other) => Value.CompareTo(other.Value);
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
    public static bool operator <(Uid left, Uid right) => left.Value < right.Value;
    public static bool operator >(Uid left, Uid right) => left.Value > right.Value;
    public static bool operator <=(Uid left, Uid right) => left.Value <= right.Value;
    public static bool operator >=(Uid left, Uid right) => left.Value >= right.Value;
}

/// <summary>The validity of a mailbox's UIDs: another value means that all UIDs start anew (RFC 9051 section 2.3.1.1).</summary>
public readonly record struct UidValidity(uint Value)
{
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A modification sequence, 63 bits, growing (RFC 7162 section 3.1).</summary>
public readonly record struct ModSeq(long Value) : IComparable<ModSeq>
{
    public int CompareTo(ModSeq other) => Value.CompareTo(other.Value);
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
    public static bool operator <(ModSeq left, ModSeq right) => left.Value < right.Value;
    public static bool operator >(ModSeq left, ModSeq right) => left.Value > right.Value;
    public static bool operator <=(ModSeq left, ModSeq right) => left.Value <= right.Value;
    public static bool operator >=(ModSeq left, ModSeq right) => left.Value >= right.Value;
}

/// <summary>A mailbox's MAILBOXID: stable through RENAME, never used twice (RFC 8474 section 4).</summary>
public readonly record struct MailboxId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>A message's EMAILID: the same for all copies, never for other content (RFC 8474 section 5.1).</summary>
public readonly record struct EmailId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>A conversation's THREADID (RFC 8474 section 5.2).</summary>
public readonly record struct ThreadId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>One client's connection, in logs and traces: unique while the log is kept.</summary>
public readonly record struct SessionId(string Value)
{
    public override string ToString() => Value;
}

/// <summary>One accepted message from connection to mailbox: the id in the Received line, the queue and every log event.</summary>
public readonly record struct QueueId(string Value)
{
    public override string ToString() => Value;
}
