using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Posthorn.Sieve;

namespace Posthorn.Transport.Filtering;

/// <summary>What stands in an account's notes for a sender who was answered or an id that was seen: the digests that Pigeonhole makes, so that each takes over the other's.</summary>
internal static class FilterIds
{
    /// <summary>A reply under a handle to a sender.</summary>
    public static byte[] Vacation(string sender, string handle) => Digest([.. Encoding.UTF8.GetBytes(sender.ToLowerInvariant()), .. SieveText.ToUtf8(handle)]);

    /// <summary>An id that the duplicate test saw; those of <c>:last</c> are others.</summary>
    public static byte[] Seen(string handle, string id, bool fromLast)
    {
        byte[] named = handle.Length == 0 ? [.. "default"u8] : [.. "h-"u8, .. SieveText.ToUtf8(handle)];
        return Digest([.. "sieve duplicate"u8, fromLast ? (byte)'0' : (byte)'+', .. named, .. SieveText.ToUtf8(id)]);
    }

    [SuppressMessage("Security", "CA5351:Do Not Use Broken Cryptographic Algorithms", Justification = "The form of ids in .dovecot.lda-dupes; nothing depends on its strength.")]
    private static byte[] Digest(byte[] octets) => MD5.HashData(octets);
}
