using System.Security.Cryptography;
using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>New object ids (RFC 8474): 128 random bits in hexadecimal, the shape of Dovecot's GUIDs, so that they can stand in its files.</summary>
/// <param name="fill">Where the bits come from.</param>
internal sealed class NewIds(Action<Memory<byte>> fill)
{
    private const int Length = 16;

    // Fetched for many at a time: a call of the generator costs more than an id.
    private readonly byte[] _random = new byte[64 * Length];
    private readonly Lock _gate = new();
    private int _left;

    internal NewIds()
        : this(bytes => RandomNumberGenerator.Fill(bytes.Span))
    {
    }

    internal MailboxId Mailbox() => new(Text());

    internal EmailId Email() => new(Text());

    internal string Text()
    {
        lock (_gate)
        {
            if (_left == 0)
            {
                fill(_random);
                _left = _random.Length;
            }

            _left -= Length;
            return Convert.ToHexStringLower(_random.AsSpan(_left, Length));
        }
    }
}
