using System.Buffers;
using System.Text;
using Posthorn.Mime;
using Posthorn.Sieve;

namespace Posthorn.Transport.Filtering;

/// <summary>A message in memory, as Sieve reads it: structure, encodings and character sets are Posthorn.Mime's.</summary>
public sealed class MimeSieveMessage : ISieveMessage
{
    private readonly ReadOnlyMemory<byte> _octets;
    private readonly MimeLimits _limits;

    public MimeSieveMessage(ReadOnlyMemory<byte> octets, MimeLimits limits)
    {
        _octets = octets;
        _limits = limits;
        MimeStructure structure = MimeStructure.Parse(octets.Span, limits);
        Size = structure.WireLength;
        Root = new Part(this, structure.Root);
    }

    public long Size { get; }

    public ISievePart Root { get; }

    public static ISieveMessage Parse(ReadOnlyMemory<byte> octets) => new MimeSieveMessage(octets, MimeLimits.Default);

    public ReadOnlyMemory<byte> Read(long offset, long length)
    {
        int start = (int)Math.Clamp(offset, 0, _octets.Length);
        return _octets.Slice(start, (int)Math.Clamp(length, 0, _octets.Length - start));
    }

    public string DecodeHeader(ReadOnlySpan<byte> unfolded) => EncodedWord.Decode(unfolded);

    private sealed class Part : ISievePart
    {
        private readonly MimeSieveMessage _message;
        private readonly MimePart _part;
        private readonly PartContent _content;

        public Part(MimeSieveMessage message, MimePart part)
        {
            _message = message;
            _part = part;
            _content = PartContent.Read(part, message._octets.Span, message._limits);
            ReadOnlySpan<byte> header = part.Header(message._octets.Span);
            HasBody = part.BodyLength > 0 || header.EndsWith("\n\n"u8) || header.EndsWith("\n\r\n"u8) || header is [(byte)'\n'] or [(byte)'\r', (byte)'\n'];
            List<ISievePart> children = [];
            foreach (MimePart child in part.Children) children.Add(new Part(message, child));
            Children = children;
        }

        public string Type => _content.Type;
        // A type of three words is none that a script names (RFC 5173 section 5.2).
        public string Subtype => _content.HasExtraWord ? _content.Subtype + "/" : _content.Subtype;
        public long Start => _part.HeaderOffset;
        public long BodyStart => _part.BodyOffset;
        public long End => _part.BodyOffset + (long)_part.BodyLength;
        public bool HasBody { get; }
        public IReadOnlyList<ISievePart> Children { get; }

        public ReadOnlyMemory<byte> DecodeBody(int max)
        {
            ReadOnlyMemory<byte> raw = _message.Read(BodyStart, Math.Min(_part.BodyLength, max));
            if (_part.Encoding is TransferEncoding.SevenBit or TransferEncoding.EightBit or TransferEncoding.Binary) return raw;
            ArrayBufferWriter<byte> decoded = new(Math.Max(raw.Length, 1));
            TransferDecoder.DecodeAll(_part.Encoding, raw.Span, decoded);
            return decoded.WrittenMemory;
        }

        public string? DecodeText(int max)
        {
            if (_part.Encoding == TransferEncoding.Unknown) return null;
            ReadOnlySpan<byte> octets = DecodeBody(max).Span;
            if (_content.Charset is not { Length: > 0 } charset) return SieveText.FromUtf8(octets);
            Encoding? encoding = Charsets.TryFind(Encoding.ASCII.GetBytes(charset));
            return encoding is null ? null : ReferenceEquals(encoding, Charsets.Guess) ? SieveText.FromUtf8(octets) : encoding.GetString(octets);
        }
    }
}
