using System.Security.Cryptography;
using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>New object ids (RFC 8474): 128 random bits in hexadecimal, the shape of Dovecot's GUIDs, so that they can stand in its files.</summary>
internal static class NewIds
{
    internal static MailboxId Mailbox() => new(Text());

    internal static EmailId Email() => new(Text());

    internal static string Text()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
