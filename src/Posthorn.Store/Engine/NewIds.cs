using System.Security.Cryptography;
using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>New object ids (RFC 8474): 128 random bits in hexadecimal, the shape of Dovecot's GUIDs, so that they can stand in its files.</summary>
internal static class NewIds
{
    private const int Length = 16;

    // Fetched for many at a time: a call of the generator costs more than an id.
    [ThreadStatic]
    private static byte[]? s_random;

    [ThreadStatic]
    private static int s_left;

    internal static MailboxId Mailbox() => new(Text());

    internal static EmailId Email() => new(Text());

    internal static string Text()
    {
        byte[] random = s_random ??= new byte[64 * Length];
        if (s_left == 0)
        {
            RandomNumberGenerator.Fill(random);
            s_left = random.Length;
        }

        s_left -= Length;
        return Convert.ToHexStringLower(random.AsSpan(s_left, Length));
    }
}
