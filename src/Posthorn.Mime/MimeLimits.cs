namespace Posthorn.Mime;

/// <summary>How much of a message is interpreted. What lies beyond a limit is kept as an opaque leaf or left out; it is never an error.</summary>
public sealed record MimeLimits
{
    /// <summary>The greatest <see cref="MaxDepth"/> that is honoured: the parser and the writers recurse, and a thread's stack is finite.</summary>
    public const int DepthCeiling = 200;

    /// <summary>The limits that servers use when nothing is configured.</summary>
    public static MimeLimits Default { get; } = new();

    /// <summary>Parts inside parts. Real mail stays below ten; forwarded chains reach twenty.</summary>
    public int MaxDepth { get; init; } = 50;

    /// <summary>All parts of one message. Mailing list digests reach hundreds.</summary>
    public int MaxParts { get; init; } = 10_000;

    /// <summary>Octets of one header that are interpreted. Real headers stay below 64 KiB, even with long recipient lists below 1 MiB.</summary>
    public int MaxHeaderBytes { get; init; } = 1024 * 1024;

    /// <summary>Fields of one header that are interpreted. Long relay chains reach a few hundred.</summary>
    public int MaxHeaderFields { get; init; } = 10_000;

    /// <summary>Octets of one unstructured value (subject, description, file name) in ENVELOPE and BODYSTRUCTURE.</summary>
    public int MaxValueBytes { get; init; } = 64 * 1024;

    /// <summary>Parameters of one field, segments of RFC 2231 counted one by one: joining them costs the square of this number.</summary>
    public int MaxParameters { get; init; } = 100;

    /// <summary>Addresses, group marks counted, of one field in one ENVELOPE or list.</summary>
    public int MaxAddresses { get; init; } = 5_000;

    /// <summary>
    /// Octets of one ENVELOPE, BODY or BODYSTRUCTURE, whatever the message holds: an address of two octets takes thirty there, three times in an ENVELOPE, once more for
    /// each message in the message. Real ones stay below 64 KiB, with recipient lists of thousands below 512 KiB. Beyond it lists of addresses end, and parts are leaves
    /// of <c>application/octet-stream</c>; they keep their numbers, so nothing is hidden.
    /// </summary>
    public int MaxWrittenBytes { get; init; } = 1024 * 1024;

    /// <summary>Octets that are written whatever the length of what is described.</summary>
    internal const int WrittenAtLeast = 16 * 1024;

    /// <summary>Octets written for each octet of what is described. Real headers and parts need less than three; only what is made for it needs more.</summary>
    internal const int WrittenForEach = 4;

    /// <summary>The octets that may be written about so many: small mail cannot fill a disk with what is kept about it.</summary>
    internal int Room(int length) => (int)Math.Min(MaxWrittenBytes, WrittenAtLeast + (WrittenForEach * (long)length));
}
