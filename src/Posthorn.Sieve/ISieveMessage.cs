namespace Posthorn.Sieve;

/// <summary>A message as the interpreter reads it. The engine splits headers itself; structure and decoding come from here.</summary>
/// <remarks>Offsets count octets of the message as it is read by <see cref="Read"/>, whatever its line ends. Implementations never throw on bad mail.</remarks>
public interface ISieveMessage
{
    /// <summary>Octets of the whole message with CRLF line ends (RFC 5228 section 5.9).</summary>
    long Size { get; }

    /// <summary>The message itself as a part: its header and its body.</summary>
    ISievePart Root { get; }

    /// <summary>A piece of the message.</summary>
    ReadOnlyMemory<byte> Read(long offset, long length);

    /// <summary>A header field's value as text: encoded words decoded (RFC 2047), other octets as UTF-8 (<see cref="SieveText.FromUtf8"/>).</summary>
    string DecodeHeader(ReadOnlySpan<byte> unfolded);
}

/// <summary>One MIME part (RFC 2045). The root has the message's own header.</summary>
public interface ISievePart
{
    /// <summary>The media type, lower case; <c>text</c> where none is given.</summary>
    string Type { get; }

    /// <summary>The media subtype, lower case.</summary>
    string Subtype { get; }

    /// <summary>Where the header begins.</summary>
    long Start { get; }

    /// <summary>Where the body begins, after the empty line; equal to <see cref="End"/> when there is none.</summary>
    long BodyStart { get; }

    /// <summary>Where the part ends, without the line end that belongs to the boundary after it.</summary>
    long End { get; }

    /// <summary>False when the header is not followed by an empty line (RFC 5173 section 4).</summary>
    bool HasBody { get; }

    /// <summary>The parts of a multipart, or the message in a message/rfc822.</summary>
    IReadOnlyList<ISievePart> Children { get; }

    /// <summary>The body without its transfer encoding; at most <paramref name="max"/> octets.</summary>
    ReadOnlyMemory<byte> DecodeBody(int max);

    /// <summary>The body of a text part as text; null when encoding or character set are unknown or wrong.</summary>
    string? DecodeText(int max);
}

/// <summary>Makes a message of octets: for what replace, enclose, filter and tests produce.</summary>
public delegate ISieveMessage SieveMessageParser(ReadOnlyMemory<byte> octets);
