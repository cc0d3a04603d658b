using Posthorn.Mime;
using Posthorn.Sieve;
using Posthorn.Store;

namespace Posthorn.Transport.Filtering;

/// <summary>A message on its way in, or in the store, as Sieve reads it. Most scripts look at the header alone; the body is read, and the structure found, when somebody asks.</summary>
/// <remarks>A bounded number of octets is held in memory: of a larger message the structure is that of its beginning.</remarks>
internal sealed class SinkMessage : ISieveMessage
{
    private const int FirstPiece = 4096;

    private readonly ContentReader _read;
    private readonly int _maxBody;
    private readonly byte[] _header;
    private MimeSieveMessage? _whole;

    public SinkMessage(ContentReader read, long size, int maxBody)
    {
        (_read, Size, _maxBody) = (read, size, maxBody);
        _header = ReadHeader();
        Root = new RootPart(this);
    }

    public long Size { get; }

    public ISievePart Root { get; }

    private MimeSieveMessage Whole => _whole ??= new(ReadAt(0, (int)Math.Min(Size, Math.Max(_maxBody, _header.Length))), MimeLimits.Default);

    public ReadOnlyMemory<byte> Read(long offset, long length)
    {
        offset = Math.Clamp(offset, 0, Size);
        length = Math.Clamp(length, 0, Size - offset);
        if (offset + length <= _header.Length) return _header.AsMemory((int)offset, (int)length);
        return ReadAt(offset, checked((int)length));
    }

    public string DecodeHeader(ReadOnlySpan<byte> unfolded) => EncodedWord.Decode(unfolded);

    private byte[] ReadAt(long offset, int length)
    {
        byte[] octets = new byte[length];
        int got = 0;
        while (got < length && _read(offset + got, octets.AsSpan(got)) is > 0 and int read) got += read;
        return got == length ? octets : octets[..got];
    }

    // The header ends with an empty line, or with the message.
    private byte[] ReadHeader()
    {
        byte[] octets = [];
        for (long wanted = FirstPiece; ; wanted *= 4)
        {
            octets = ReadAt(0, (int)Math.Min(wanted, Size));
            int end = EndOfHeader(octets);
            if (end >= 0) return octets[..end];
            if (octets.Length >= Size || wanted > int.MaxValue / 8) return octets;
        }
    }

    private static int EndOfHeader(ReadOnlySpan<byte> octets)
    {
        if (octets.StartsWith("\r\n"u8)) return 2;
        if (octets.StartsWith("\n"u8)) return 1;
        for (int at = 0; octets[at..].IndexOf((byte)'\n') is >= 0 and int lf;)
        {
            at += lf + 1;
            if (octets[at..].StartsWith("\r\n"u8)) return at + 2;
            if (octets[at..].StartsWith("\n"u8)) return at + 1;
        }
        return -1;
    }

    private sealed class RootPart(SinkMessage message) : ISievePart
    {
        private ISievePart Inner => message.Whole.Root;

        public string Type => Inner.Type;
        public string Subtype => Inner.Subtype;
        public long Start => 0;
        public long BodyStart => message._header.Length;
        public long End => message.Size;
        public bool HasBody => message._header.Length < message.Size || message._header.AsSpan().EndsWith("\n\r\n"u8) || message._header.AsSpan().EndsWith("\n\n"u8);
        public IReadOnlyList<ISievePart> Children => Inner.Children;
        public ReadOnlyMemory<byte> DecodeBody(int max) => Inner.DecodeBody(max);
        public string? DecodeText(int max) => Inner.DecodeText(max);
    }
}
