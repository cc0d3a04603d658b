using System.Security.Cryptography;
using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>New object ids (RFC 8474): 128 random bits in hexadecimal, the shape of Dovecot's GUIDs, so that they can stand in its files.</summary>
/// <param name="fill">Where the bits come from.</param>
internal sealed class NewIds(Action<Memory<byte>> fill)
{
    internal NewIds()
        : this(bytes => RandomNumberGenerator.Fill(bytes.Span))
    {
    }

    internal MailboxId Mailbox() => new(Text());

    internal EmailId Email() => new(Text());

    internal string Text()
    {
        byte[] bytes = new byte[16];
        fill(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
