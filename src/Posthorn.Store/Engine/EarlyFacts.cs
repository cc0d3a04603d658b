namespace Posthorn.Store.Engine;

/// <summary>What was found out about a message before its record was written.</summary>
/// <param name="WireLength">Its length with CRLF line ends.</param>
/// <param name="LfOctets">Its length with LF line ends, where its file gets those.</param>
/// <param name="Held">All of it; null when the record's messages together would take too much memory until they are applied: then it is found out again.</param>
internal readonly record struct EarlyFacts(long WireLength, long? LfOctets, MessageFacts? Held)
{
    /// <summary>Octets held for the messages of one record. A usual message takes three thousand, and some thousand records may wait (<see cref="MaildirStoreOptions.Unapplied"/>).</summary>
    internal const int Room = 64 * 1024;
}
