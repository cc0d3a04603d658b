using System.Buffers;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Transport.Rewriting;

/// <summary>Rewrites the addresses in a message's header as it streams by: only the addresses change, everything around them stays.</summary>
/// <remarks>Holds one field at a time. A field over the limit goes through as it is.</remarks>
internal sealed class HeaderRewriter(Func<EmailAddress, bool, CancellationToken, ValueTask<EmailAddress>> map, Func<ReadOnlyMemory<byte>, ValueTask> next)
{
    /// <summary>The longest field that is rewritten, octets: some two thousand addresses.</summary>
    private const int MaxField = 64 * 1024;

    private readonly ArrayBufferWriter<byte> _field = new(512);
    private bool _inHeader = true;
    private bool _atLineStart = true;
    private bool _isTooLong;

    /// <summary>The header has ended.</summary>
    public bool IsInBody => !_inHeader;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        while (bytes.Length > 0)
        {
            if (!_inHeader)
            {
                await next(bytes);
                return;
            }
            if (_atLineStart && bytes.Span[0] is not ((byte)' ' or (byte)'\t')) await EndFieldAsync(cancel);
            int feed = bytes.Span.IndexOf((byte)'\n');
            ReadOnlyMemory<byte> part = feed < 0 ? bytes : bytes[..(feed + 1)];
            bytes = bytes[part.Length..];
            _atLineStart = feed >= 0;
            if (_isTooLong)
            {
                await next(part);
                continue;
            }
            _field.Write(part.Span);
            if (_field.WrittenCount > MaxField)
            {
                _isTooLong = true;
                await ReleaseAsync(_field.WrittenMemory);
            }
            else if (_atLineStart && _field.WrittenSpan is [(byte)'\n'] or [(byte)'\r', (byte)'\n'])
            {
                _inHeader = false;
                await ReleaseAsync(_field.WrittenMemory);
            }
        }
    }

    /// <summary>The message has ended.</summary>
    public ValueTask CompleteAsync(CancellationToken cancel) => EndFieldAsync(cancel);

    private async ValueTask EndFieldAsync(CancellationToken cancel)
    {
        _isTooLong = false;
        if (_field.WrittenCount == 0) return;
        int colon = _field.WrittenSpan.IndexOf((byte)':');
        string name = colon > 0 ? Encoding.Latin1.GetString(_field.WrittenSpan[..colon]).TrimEnd(' ', '\t') : "";
        bool isSender = AddressFields.IsOfSender(name);
        if (!isSender && !AddressFields.IsOfRecipient(name)) await ReleaseAsync(_field.WrittenMemory);
        else await ReleaseAsync(await RewriteAsync(_field.WrittenMemory.ToArray(), colon + 1, isSender, cancel));
    }

    private async ValueTask ReleaseAsync(ReadOnlyMemory<byte> bytes)
    {
        await next(bytes);
        _field.ResetWrittenCount();
    }

    private async ValueTask<ReadOnlyMemory<byte>> RewriteAsync(byte[] field, int from, bool isSender, CancellationToken cancel)
    {
        ArrayBufferWriter<byte>? changed = null;
        int copied = 0;
        foreach (Range range in AddressSpans.In(field, from))
        {
            (int start, int length) = range.GetOffsetAndLength(field.Length);
            if (!EmailAddress.TryParse(Encoding.UTF8.GetString(field, start, length), out EmailAddress address)) continue;
            EmailAddress rewritten = await map(address, isSender, cancel);
            if (rewritten == address) continue;
            changed ??= new(field.Length + 64);
            changed.Write(field.AsSpan(copied, start - copied));
            changed.Write(Encoding.UTF8.GetBytes(rewritten.ToString()));
            copied = start + length;
        }
        if (changed is null) return field;
        changed.Write(field.AsSpan(copied));
        return changed.WrittenMemory;
    }
}
