namespace Posthorn.Mime;

/// <summary>What a part is for IMAP, which knows text, multipart, message and the rest. Values reach disk: never renumber.</summary>
public enum PartKind : byte
{
    /// <summary>A part without structure that is not text.</summary>
    Other = 0,
    Text = 1,
    /// <summary>A multipart; it always has at least one child.</summary>
    Multipart = 2,
    /// <summary>A message/rfc822 or message/global; its only child is the message in it, with its own header.</summary>
    Message = 3,
    /// <summary>A multipart or message beyond the limits of nesting or of parts: answered as application/octet-stream.</summary>
    Opaque = 4,
}

/// <summary>A Content-Transfer-Encoding (RFC 2045 section 6.1). Values reach disk: never renumber.</summary>
public enum TransferEncoding : byte
{
    SevenBit = 0,
    EightBit = 1,
    Binary = 2,
    QuotedPrintable = 3,
    Base64 = 4,
    UuEncode = 5,
    /// <summary>Named, but nothing that is known here: cannot be decoded (RFC 9051 UNKNOWN-CTE).</summary>
    Unknown = 6,
}
