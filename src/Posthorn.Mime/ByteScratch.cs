using System.Buffers;

namespace Posthorn.Mime;

/// <summary>A growing run of bytes on the stack or in a rented array. Dispose gives the array back.</summary>
internal ref struct ByteScratch
{
    private Span<byte> _span;
    private byte[]? _rented;

    public ByteScratch(Span<byte> first) => _span = first;

    public int Length { readonly get; private set; }

    public readonly ReadOnlySpan<byte> Written => _span[..Length];

    public readonly ReadOnlySpan<byte> Slice(int start, int length) => _span.Slice(start, length);

    public void Clear() => Length = 0;

    /// <summary>Drops what was written after <paramref name="length"/>.</summary>
    public void Truncate(int length) => Length = Math.Min(Length, length);

    public void Append(byte value)
    {
        if (Length == _span.Length) Grow(1);
        _span[Length++] = value;
    }

    public void Append(scoped ReadOnlySpan<byte> values)
    {
        if (values.Length > _span.Length - Length) Grow(values.Length);
        values.CopyTo(_span[Length..]);
        Length += values.Length;
    }

    /// <summary>Appends a copy of what stands at <paramref name="start"/>.</summary>
    public void AppendCopy(int start, int length)
    {
        if (length > _span.Length - Length) Grow(length);
        _span.Slice(start, length).CopyTo(_span[Length..]);
        Length += length;
    }

    public void Append(long number)
    {
        if (_span.Length - Length < 20) Grow(20);
        System.Buffers.Text.Utf8Formatter.TryFormat(number, _span[Length..], out int written);
        Length += written;
    }

    public void Dispose()
    {
        if (_rented is not null) ArrayPool<byte>.Shared.Return(_rented);
        _rented = null;
        _span = default;
        Length = 0;
    }

    private void Grow(int more)
    {
        byte[] bigger = ArrayPool<byte>.Shared.Rent(Math.Max(Length + more, Math.Max(256, (int)Math.Min(_span.Length * 2L, Array.MaxLength))));
        _span[..Length].CopyTo(bigger);
        if (_rented is not null) ArrayPool<byte>.Shared.Return(_rented);
        _span = _rented = bigger;
    }
}
