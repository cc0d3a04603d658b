using System.Buffers;

namespace Posthorn.Mime;

/// <summary>Where the parts of one message lie in its bytes (RFC 2045, RFC 2046, RFC 9051 section 6.4.5.1). Holds numbers only; texts are read from the message when asked for.</summary>
/// <remarks>
/// Offsets count the bytes that were parsed, which may end their lines with LF. Sizes named <c>Wire</c> are those of the same bytes with CRLF, as IMAP shows them.
/// Parts stand in the order of the message; each knows where its subtree ends.
/// </remarks>
public sealed class MimeStructure
{
    private readonly PartData[] _parts;

    internal MimeStructure(PartData[] parts, int count) => (_parts, Count) = (parts, count);

    /// <summary>All parts, the root and messages in messages counted.</summary>
    public int Count { get; }

    /// <summary>The message itself.</summary>
    public MimePart Root => new(this, 0);

    /// <summary>The length of the message as parsed.</summary>
    public int Length => _parts[0].HeaderLength + _parts[0].BodyLength;

    /// <summary>The length of the message with CRLF at every line's end (RFC 9051 section 2.3.4, RFC822.SIZE).</summary>
    public long WireLength => (long)Length + _parts[0].HeaderBareFeeds + _parts[0].BodyBareFeeds;

    internal ref readonly PartData this[int index] => ref _parts[index];

    /// <summary>Finds the parts of a message. Never throws for what the message holds; linear time.</summary>
    public static MimeStructure Parse(ReadOnlySpan<byte> message, MimeLimits limits)
    {
        MimeParser parser = new(message, limits, stackalloc MimeParser.Range32[16]);
        return parser.Parse();
    }

    /// <summary>Writes the numbers in a compact form for <see cref="Read"/>.</summary>
    public void WriteTo(IBufferWriter<byte> output) => StructureFormat.Write(this, output);

    /// <summary>Reads what <see cref="WriteTo"/> wrote.</summary>
    /// <exception cref="FormatException">These bytes are damaged or of a later version.</exception>
    public static MimeStructure Read(ReadOnlySpan<byte> bytes) =>
        TryRead(bytes) ?? throw new FormatException("This is no message structure of a known version.");

    /// <summary>As <see cref="Read"/>, null for damaged bytes or a later version.</summary>
    public static MimeStructure? TryRead(ReadOnlySpan<byte> bytes) => StructureFormat.TryRead(bytes);
}

/// <summary>The numbers of one part. The body follows its header at once.</summary>
internal struct PartData
{
    public int HeaderOffset;
    public int HeaderLength;
    public int BodyLength;
    /// <summary>Line feeds in header and body, and those of them without CR before.</summary>
    public int HeaderFeeds, HeaderBareFeeds, BodyFeeds, BodyBareFeeds;
    /// <summary>The index behind the last part of this part's subtree.</summary>
    public int End;
    public PartKind Kind;
    public TransferEncoding Encoding;
}

/// <summary>One part of a message: its place and kind.</summary>
public readonly struct MimePart : IEquatable<MimePart>
{
    private readonly MimeStructure _structure;

    internal MimePart(MimeStructure structure, int index) => (_structure, Index) = (structure, index);

    /// <summary>Its place among all parts in the order of the message.</summary>
    internal int Index { get; }

    public PartKind Kind => Data.Kind;
    public TransferEncoding Encoding => Data.Encoding;

    /// <summary>Where the part's MIME header starts; for the root and for a message in a message that is its whole header.</summary>
    public int HeaderOffset => Data.HeaderOffset;
    /// <summary>The header's length with its blank line.</summary>
    public int HeaderLength => Data.HeaderLength;
    public int BodyOffset => Data.HeaderOffset + Data.HeaderLength;
    public int BodyLength => Data.BodyLength;

    /// <summary>The header's length with CRLF line ends.</summary>
    public long WireHeaderLength => (long)Data.HeaderLength + Data.HeaderBareFeeds;
    /// <summary>The body's length with CRLF line ends: the octets of BODYSTRUCTURE.</summary>
    public long WireBodyLength => (long)Data.BodyLength + Data.BodyBareFeeds;
    /// <summary>Line ends in the body.</summary>
    public int Lines => Data.BodyFeeds;

    public bool HasChildren => Data.End > Index + 1;
    public PartChildren Children => new(_structure, Index);

    private ref readonly PartData Data => ref _structure[Index];

    /// <summary>The header, cut from the message that was parsed.</summary>
    public ReadOnlySpan<byte> Header(ReadOnlySpan<byte> message) => message.Slice(HeaderOffset, HeaderLength);

    /// <summary>The body, cut from the message that was parsed.</summary>
    public ReadOnlySpan<byte> Body(ReadOnlySpan<byte> message) => message.Slice(BodyOffset, BodyLength);

    /// <summary>The child of that number, from 1; false if there is none.</summary>
    public bool TryChild(long number, out MimePart child)
    {
        foreach (MimePart each in Children)
        {
            if (--number > 0) continue;
            child = each;
            return number == 0;
        }
        child = default;
        return false;
    }

    internal MimePart FirstChild => new(_structure, Index + 1);

    public bool Equals(MimePart other) => ReferenceEquals(_structure, other._structure) && Index == other.Index;
    public override bool Equals(object? obj) => obj is MimePart other && Equals(other);
    public override int GetHashCode() => HashCode.Combine(_structure, Index);
    public static bool operator ==(MimePart left, MimePart right) => left.Equals(right);
    public static bool operator !=(MimePart left, MimePart right) => !left.Equals(right);
}

/// <summary>The direct children of a part.</summary>
public readonly struct PartChildren
{
    private readonly MimeStructure _structure;
    private readonly int _parent;

    internal PartChildren(MimeStructure structure, int parent) => (_structure, _parent) = (structure, parent);

    public Enumerator GetEnumerator() => new(_structure, _parent + 1, _structure[_parent].End);

    /// <summary>How many there are; walks them.</summary>
    public int Count()
    {
        int count = 0;
        foreach (MimePart _ in this) count++;
        return count;
    }

    /// <summary>Steps from child to child.</summary>
    public struct Enumerator
    {
        private readonly MimeStructure _structure;
        private readonly int _end;
        private int _next;

        internal Enumerator(MimeStructure structure, int first, int end)
        {
            _structure = structure;
            _next = first;
            _end = end;
            Current = default;
        }

        public MimePart Current { get; private set; }

        public bool MoveNext()
        {
            if (_next >= _end) return false;
            Current = new(_structure, _next);
            _next = _structure[_next].End;
            return true;
        }
    }
}
