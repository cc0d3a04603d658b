namespace Posthorn.Sieve;

/// <summary>A message as an action saw it: the original, or one with another header, or one made anew. Never changes.</summary>
/// <remarks>The octets are <see cref="Header"/> followed by <see cref="Base"/> from <see cref="BodyOffset"/> on, so that a large body can be streamed.</remarks>
public sealed class SieveImage
{
    internal SieveImage(ISieveMessage from, bool isOriginal) => (Base, IsOriginal, BodyOffset) = (from, isOriginal, 0);

    internal SieveImage(ISieveMessage from, ReadOnlyMemory<byte> header, long bodyOffset) => (Base, Header, BodyOffset) = (from, header, bodyOffset);

    /// <summary>True when the script has changed nothing.</summary>
    public bool IsOriginal { get; }

    /// <summary>The message that the rest is read from.</summary>
    public ISieveMessage Base { get; }

    /// <summary>The new header with the empty line after it; empty when the header of <see cref="Base"/> stays.</summary>
    public ReadOnlyMemory<byte> Header { get; }

    /// <summary>Where the rest of <see cref="Base"/> begins.</summary>
    public long BodyOffset { get; }

    /// <summary>All octets at once.</summary>
    public ReadOnlyMemory<byte> ToBytes()
    {
        long end = Base.Root.End;
        ReadOnlyMemory<byte> rest = Base.Read(BodyOffset, end - BodyOffset);
        if (Header.IsEmpty) return rest;
        byte[] all = new byte[Header.Length + rest.Length];
        Header.Span.CopyTo(all);
        rest.Span.CopyTo(all.AsSpan(Header.Length));
        return all;
    }
}
