namespace Posthorn.Imap.Session;

/// <summary>What this client has switched on (RFC 5161; RFC 7162 section 3.1.2.1). Nothing is ever switched off again but by UNAUTHENTICATE.</summary>
internal sealed record ClientMode
{
    /// <summary>ENABLE IMAP4rev2: ESEARCH for SEARCH, UTF-8 names, no RECENT (RFC 9051 section 6.3.1).</summary>
    public bool Rev2 { get; init; }

    /// <summary>ENABLE UTF8=ACCEPT (RFC 6855 section 3).</summary>
    public bool Utf8Accept { get; init; }

    /// <summary>MODSEQ is told (RFC 7162 section 3.1).</summary>
    public bool Condstore { get; init; }

    /// <summary>VANISHED instead of EXPUNGE (RFC 7162 section 3.2).</summary>
    public bool Qresync { get; init; }

    /// <summary>Annotations that others change are told (RFC 5464 section 4.1).</summary>
    public bool Metadata { get; init; }

    /// <summary>No sequence numbers any more, in either direction (RFC 9586).</summary>
    public bool UidOnly { get; init; }

    /// <summary>Expunges are told as VANISHED.</summary>
    public bool TellsVanished => Qresync || UidOnly;

    /// <summary>Mailbox names are UTF-8.</summary>
    public bool Utf8Names => Rev2 || Utf8Accept;
}
