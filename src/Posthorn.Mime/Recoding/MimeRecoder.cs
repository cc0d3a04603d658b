using System.Buffers;
using System.Text;

namespace Posthorn.Mime.Recoding;

/// <summary>What the next server takes.</summary>
public enum WireForm
{
    /// <summary>Lines of ASCII alone (RFC 5321 without 8BITMIME).</summary>
    SevenBit,
    /// <summary>Lines of any octets (RFC 6152): no NUL, no bare line end, no line above 998 octets.</summary>
    EightBit,
    /// <summary>What an IMAP literal bears (RFC 9051 section 9, CHAR8): any octets but NUL, lines of any length that end in CRLF. A bare LF is data where a part says that it is binary, else a sloppy line end, which is left.</summary>
    Literal,
}

/// <summary>Recodes a message for a server that does not take it as it is: parts that need it become quoted-printable or base64, all else stays octet for octet (RFC 6152 section 3, RFC 3030 section 3).</summary>
/// <remarks>Two passes: <see cref="Survey"/> over the whole message, then <see cref="Write"/> and <see cref="Finish"/> over it again.</remarks>
/// <param name="form">What the next server takes.</param>
/// <param name="asciiHeaders">It takes no header in UTF-8 either, at any level (RFC 6531 section 3.2).</param>
public sealed class MimeRecoder(WireForm form, bool asciiHeaders = false)
{
    private readonly List<PartSurvey?> _parts = [];
    private Surveyor? _surveyor;
    private MimeScanner? _scan;
    private Rewriter? _rewriter;
    private MimeScanner? _write;

    /// <summary>First pass: looks at a piece.</summary>
    public void Survey(ReadOnlySpan<byte> bytes)
    {
        _scan ??= new(_surveyor = new(_parts, asciiHeaders));
        _scan.Write(bytes);
    }

    /// <summary>The first pass is over: whether the message can be recoded, without breaking a signature within it.</summary>
    public bool EndSurvey()
    {
        Survey(default);
        _scan!.Finish();
        return !_surveyor!.HasBadHeader && !_parts.Exists(part => part is { IsProtected: true } && Needs(part));
    }

    /// <summary>A header, at any level, is not ASCII.</summary>
    public bool HasEightBitHeader => _surveyor is { HasEightBitHeader: true };

    /// <summary>Something has to be recoded.</summary>
    public bool IsNeeded => _parts.Exists(part => part is not null && Needs(part));

    /// <summary>Second pass: the recoded form of a piece.</summary>
    public void Write(ReadOnlySpan<byte> bytes, IBufferWriter<byte> output)
    {
        _write ??= new(_rewriter = new(_parts, Needs, form, asciiHeaders, output));
        _write.Write(bytes);
    }

    /// <summary>The end of the second pass.</summary>
    public void Finish(IBufferWriter<byte> output)
    {
        Write(default, output);
        _write!.Finish();
    }

    private bool Needs(PartSurvey part) => form == WireForm.Literal
        ? part.HasNul || part.HasBareFeed && part.IsDeclaredBinary
        : part.IsBinary || form == WireForm.SevenBit && part.EightBit > 0;

    private sealed class Surveyor(List<PartSurvey?> parts, bool asciiHeaders) : IMimeSink
    {
        /// <summary>A header cannot be written in ASCII, or must not be.</summary>
        public bool HasBadHeader { get; private set; }

        public bool HasEightBitHeader { get; private set; }

        public void Header(ReadOnlySpan<byte> header, PartHead head)
        {
            parts.Add(head.IsLeaf ? new() { IsProtected = head.IsProtected, IsDeclaredBinary = head.Encoding == TransferEncoding.Binary } : null);
            if (Ascii.IsValid(header)) return;
            HasEightBitHeader = true;
            if (asciiHeaders && (head.IsProtected || !HeaderRecoder.TryRecode(header, new ArrayBufferWriter<byte>(header.Length)))) HasBadHeader = true;
        }

        public void Body(ReadOnlySpan<byte> bytes)
        {
            if (parts[^1] is { } part) part.Look(bytes);
        }

        public void EndLeaf() => parts[^1]?.End();
        public void Boundary(ReadOnlySpan<byte> line) { }
    }

    private sealed class Rewriter(List<PartSurvey?> parts, Func<PartSurvey, bool> needs, WireForm form, bool asciiHeaders, IBufferWriter<byte> output) : IMimeSink
    {
        private int _part = -1;
        private LeafEncoder? _encoder;

        public void Header(ReadOnlySpan<byte> header, PartHead head)
        {
            PartSurvey? part = parts[++_part];
            _encoder = null;
            if (asciiHeaders && !Ascii.IsValid(header))
            {
                ArrayBufferWriter<byte> ascii = new(header.Length);
                HeaderRecoder.TryRecode(header, ascii);
                header = ascii.WrittenSpan;
            }
            // A part that is encoded already, and wrongly, cannot be mended.
            bool encode = part is not null && needs(part) && head.Encoding is TransferEncoding.SevenBit or TransferEncoding.EightBit or TransferEncoding.Binary;
            if (encode)
            {
                // Text stays readable, unless most of it would be escapes.
                TransferEncoding encoding = head.IsText && part!.EightBit * 4 < part.Octets ? TransferEncoding.QuotedPrintable : TransferEncoding.Base64;
                _encoder = new(encoding, output);
                WriteHeader(header, head, encoding == TransferEncoding.Base64 ? "base64" : "quoted-printable");
            }
            else if (MayChange(head.Encoding) && !head.IsProtected) WriteHeader(header, head, StaysEightBit(part) ? "8bit" : "7bit");
            else output.Write(header);
        }

        // In mailboxes what says 8bit is right as it is.
        private bool MayChange(TransferEncoding encoding) => encoding == TransferEncoding.Binary || encoding == TransferEncoding.EightBit && form != WireForm.Literal;

        // What is left of a leaf may be 8-bit where that is taken; what has parts has what they have.
        private bool StaysEightBit(PartSurvey? part) => part is not null ? part.EightBit > 0 : parts.Exists(one => one is { EightBit: > 0 } && !needs(one));

        public void Body(ReadOnlySpan<byte> bytes)
        {
            if (_encoder is { } encoder) encoder.Write(bytes);
            else output.Write(bytes);
        }

        public void EndLeaf()
        {
            _encoder?.Finish();
            _encoder = null;
        }

        public void Boundary(ReadOnlySpan<byte> line)
        {
            _encoder = null;
            output.Write(line);
        }

        // The header with another transfer encoding; all other fields stay as they are.
        private void WriteHeader(ReadOnlySpan<byte> header, PartHead head, string encoding)
        {
            HeaderReader reader = new(header);
            while (reader.MoveNext())
            {
                HeaderField field = reader.Current;
                if (!field.Is("Content-Transfer-Encoding"u8)) output.Write(header.Slice(field.Offset, field.Length));
            }
            if (head.IsTop && !head.HasVersion)
            {
                output.Write("MIME-Version: 1.0\r\n"u8);
                // RFC 1428: nobody has said what the octets mean.
                if (!head.HasType) output.Write("Content-Type: text/plain; charset=unknown-8bit\r\n"u8);
            }
            output.Write(Encoding.ASCII.GetBytes($"Content-Transfer-Encoding: {encoding}\r\n"));
            if (reader.SawBlankLine) output.Write("\r\n"u8);
        }
    }
}
