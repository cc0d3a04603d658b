using System.Buffers;
using System.Text;

namespace Posthorn.Mime;

/// <summary>Which texts of a message are read (RFC 9051 section 6.4.4: BODY and TEXT).</summary>
[Flags]
public enum TextScope
{
    /// <summary>The fields of the message's own header.</summary>
    Header = 1,
    /// <summary>The text parts, reports among them (message/delivery-status and the like, RFC 3464).</summary>
    Body = 2,
    /// <summary>The fields of messages in messages and of MIME parts.</summary>
    InnerHeaders = 4,
    /// <summary>What SEARCH TEXT looks at.</summary>
    All = Header | Body | InnerHeaders,
}

/// <summary>Reads a message's headers and text parts as text: transfer encoding and charset taken off, in chunks, with bounded memory. Markup stays.</summary>
public sealed class MessageText(ReadOnlyMemory<byte> message, MimeStructure structure, TextScope scope, MimeLimits limits) : IDisposable
{
    private const int InputChunk = 4096;

    private readonly ArrayBufferWriter<byte> _decoded = new(InputChunk);
    private char[] _chars = ArrayPool<char>.Shared.Rent(InputChunk * 2);
    private int _charCount;
    private int _part = -1;
    private int _field = -1, _fieldsLeft;
    private int _bodyAt = -1;
    private TransferDecoder? _transfer;
    private Decoder? _decoder;
    private string _text = "";
    private bool _inChars;

    /// <summary>The chunk at hand.</summary>
    public ReadOnlySpan<char> Current => _inChars ? _chars.AsSpan(0, _charCount) : _text;

    /// <summary>True if the chunk starts another text: a field, or a part's body.</summary>
    public bool IsStart { get; private set; }

    /// <summary>Goes to the next chunk.</summary>
    public bool MoveNext()
    {
        while (true)
        {
            if (_field >= 0 && NextField()) return true;
            if (_bodyAt >= 0 && NextBody()) return true;
            if (++_part >= structure.Count) return false;
            Open(new(structure, _part));
        }
    }

    /// <summary>True if the key occurs in the texts of the scope.</summary>
    public static bool Contains(ReadOnlyMemory<byte> message, MimeStructure structure, TextScope scope, TextMatcher key, MimeLimits limits)
    {
        using MessageText text = new(message, structure, scope, limits);
        key.Reset();
        while (text.MoveNext())
        {
            if (text.IsStart) key.Reset();
            if (key.Feed(text.Current)) return true;
        }
        return false;
    }

    public void Dispose()
    {
        if (_chars.Length > 0) ArrayPool<char>.Shared.Return(_chars);
        _chars = [];
    }

    private void Open(MimePart part)
    {
        bool header = _part == 0 ? (scope & TextScope.Header) != 0 : (scope & TextScope.InnerHeaders) != 0;
        _field = header ? part.HeaderOffset : -1;
        _fieldsLeft = limits.MaxHeaderFields;
        _bodyAt = -1;
        if (part.Kind is not (PartKind.Text or PartKind.Other) || (scope & TextScope.Body) == 0) return;
        ContentFields fields = ContentFields.Read(part.Header(message.Span), limits);
        if (part.Kind == PartKind.Other && !Octets.Is(MediaTypeValue.Parse(fields.Type).Type, "message"u8)) return;
        string? charset = fields.HasType ? MimeParameters.Get(fields.Type, "charset"u8, limits) : null;
        _decoder = (charset is null ? Charsets.Guess : Charsets.Find(Encoding.Latin1.GetBytes(charset))).GetDecoder();
        _transfer = new(part.Encoding);
        _bodyAt = part.BodyOffset;
    }

    private bool NextField()
    {
        MimePart part = new(structure, _part);
        int end = part.HeaderOffset + part.HeaderLength;
        ReadOnlySpan<byte> rest = message.Span[_field..end];
        HeaderReader reader = new(rest);
        if (_fieldsLeft-- <= 0 || _field - part.HeaderOffset > limits.MaxHeaderBytes || !reader.MoveNext())
        {
            _field = -1;
            return false;
        }
        _field += reader.Position;
        HeaderField field = reader.Current;
        ReadOnlySpan<byte> value = field.RawValue[..Math.Min(field.RawValue.Length, limits.MaxHeaderBytes)];
        _text = $"{Charsets.Guess.GetString(field.Name)}: {EncodedWord.Decode(value)}";
        _inChars = false;
        IsStart = true;
        return true;
    }

    private bool NextBody()
    {
        MimePart part = new(structure, _part);
        int end = part.BodyOffset + part.BodyLength;
        IsStart = _bodyAt == part.BodyOffset;
        _inChars = true;
        while (_bodyAt >= 0)
        {
            int take = Math.Min(InputChunk, end - _bodyAt);
            bool last = _bodyAt + take == end;
            _decoded.ResetWrittenCount();
            _transfer!.Decode(message.Span.Slice(_bodyAt, take), last, _decoded);
            _bodyAt = last ? -1 : _bodyAt + take;
            int room = _decoder!.GetCharCount(_decoded.WrittenSpan, last);
            if (room > _chars.Length)
            {
                ArrayPool<char>.Shared.Return(_chars);
                _chars = ArrayPool<char>.Shared.Rent(room);
            }
            _charCount = _decoder.GetChars(_decoded.WrittenSpan, _chars, last);
            if (_charCount > 0) return true;
        }
        return false;
    }
}
