using System.Buffers;

namespace Posthorn.Mime;

/// <summary>Writes BODY and BODYSTRUCTURE as IMAP sends them (RFC 9051 section 7.5.2, legal under RFC 3501 as well).</summary>
/// <remarks>
/// BODYSTRUCTURE always has all extension fields and no NIL where clients stumble: the encoding defaults to 7bit, a text's charset to us-ascii.
/// Beyond <see cref="MimeLimits.MaxWrittenBytes"/> a part is a leaf of which no more than its encoding and length is said.
/// Segmented parameters are joined (RFC 2231 section 3); extended ones keep their ASCII form <c>charset''%xx</c>, which old clients read too.
/// </remarks>
public static class BodyStructureWriter
{
    /// <summary>Writes the message's BODYSTRUCTURE, or BODY if not <paramref name="extended"/>.</summary>
    public static void Write(MimeStructure structure, ReadOnlySpan<byte> message, bool extended, MimeLimits limits, IBufferWriter<byte> output)
    {
        ByteScratch scratch = new(stackalloc byte[1024]);
        Context context = new(message, extended, limits);
        context.Part(structure.Root, ref scratch);
        output.Write(scratch.Written);
        scratch.Dispose();
    }

    private readonly ref struct Context(ReadOnlySpan<byte> message, bool extended, MimeLimits limits)
    {
        // An encoding's name that is longer is none.
        private const int LongestEncoding = 64;

        private readonly ReadOnlySpan<byte> _message = message;
        private readonly int _end = limits.Room(message.Length);

        public void Part(MimePart part, ref ByteScratch output)
        {
            ContentFields fields = ContentFields.Read(part.Header(_message), limits);
            int start = output.Length;
            if (start < _end)
            {
                output.Append((byte)'(');
                bool fits = part.Kind == PartKind.Multipart ? Multipart(part, fields, ref output) : Single(part, fields, ref output);
                output.Append((byte)')');
                if (fits) return;
                output.Truncate(start);
            }
            Leaf(part, fields, ref output);
        }

        // Its children are there in any case.
        private bool Multipart(MimePart part, scoped ContentFields fields, ref ByteScratch output)
        {
            foreach (MimePart child in part.Children) Part(child, ref output);
            MediaTypeValue type = MediaTypeValue.Parse(fields.Type);
            int start = output.Length;
            output.Append((byte)' ');
            WireText.String(ref output, type.Subtype);
            if (extended)
            {
                output.Append((byte)' ');
                Parameters(type.Parameters, addCharset: false, ref output);
                Tail(fields, ref output);
            }
            if (output.Length <= _end) return true;
            output.Truncate(start);
            output.Append(" \"mixed\""u8);
            if (extended) output.Append(" NIL NIL NIL NIL"u8);
            return true;
        }

        private bool Single(MimePart part, scoped ContentFields fields, ref ByteScratch output)
        {
            MediaTypeValue type = TypeOf(part, fields);
            WireText.String(ref output, type.Type);
            output.Append((byte)' ');
            WireText.String(ref output, type.Subtype);
            output.Append((byte)' ');
            Parameters(type.Parameters, part.Kind == PartKind.Text, ref output);
            output.Append((byte)' ');
            Optional(fields.Id, fields.HasId, ref output);
            output.Append((byte)' ');
            Optional(fields.Description, fields.HasDescription, ref output);
            output.Append((byte)' ');
            ReadOnlySpan<byte> encoding = fields.EncodingToken;
            WireText.String(ref output, encoding.IsEmpty ? "7bit"u8 : encoding);
            output.Append((byte)' ');
            output.Append(part.WireBodyLength);
            if (part.Kind == PartKind.Message)
            {
                if (output.Length >= _end) return false;
                MimePart inner = part.FirstChild;
                output.Append((byte)' ');
                EnvelopeWriter.Write(inner.Header(_message), limits, Math.Min(limits.Room(inner.HeaderLength), _end - output.Length), ref output);
                output.Append((byte)' ');
                Part(inner, ref output);
            }
            if (part.Kind is PartKind.Message or PartKind.Text)
            {
                output.Append((byte)' ');
                output.Append(part.Lines);
            }
            int tail = output.Length;
            if (extended)
            {
                output.Append((byte)' ');
                Optional(fields.Md5, fields.HasMd5, ref output);
                Tail(fields, ref output);
            }
            if (output.Length <= _end) return true;
            if (part.Kind != PartKind.Message) return false;
            // What is in it was said already.
            output.Truncate(tail);
            if (extended) output.Append(" NIL NIL NIL NIL"u8);
            return true;
        }

        private void Leaf(MimePart part, scoped ContentFields fields, ref ByteScratch output)
        {
            output.Append("(\"application\" \"octet-stream\" NIL NIL NIL "u8);
            ReadOnlySpan<byte> encoding = fields.EncodingToken;
            WireText.String(ref output, encoding.Length is 0 or > LongestEncoding ? "7bit"u8 : encoding);
            output.Append((byte)' ');
            output.Append(part.WireBodyLength);
            if (extended) output.Append(" NIL NIL NIL NIL"u8);
            output.Append((byte)')');
        }

        private static MediaTypeValue TypeOf(MimePart part, ContentFields fields) => part.Kind switch
        {
            PartKind.Opaque => MediaTypeValue.Parse("application/octet-stream"u8),
            PartKind.Message when !fields.HasType => MediaTypeValue.Parse("message/rfc822"u8),
            _ when fields.HasType => MediaTypeValue.Parse(fields.Type),
            _ => MediaTypeValue.Parse("text/plain"u8),
        };

        // Disposition, language, location.
        private void Tail(scoped ContentFields fields, ref ByteScratch output)
        {
            output.Append((byte)' ');
            Disposition(fields, ref output);
            output.Append((byte)' ');
            Language(fields.Language, ref output);
            output.Append((byte)' ');
            Optional(fields.Location, fields.HasLocation, ref output);
        }

        private void Optional(scoped ReadOnlySpan<byte> raw, bool present, ref ByteScratch output)
        {
            if (present) WireText.Unstructured(ref output, raw, limits);
            else WireText.Nil(ref output);
        }

        private void Disposition(scoped ContentFields fields, ref ByteScratch output)
        {
            int start = Tokens.SkipBlankAndComments(fields.Disposition, 0);
            int end = Tokens.End(fields.Disposition, start);
            if (end == start)
            {
                WireText.Nil(ref output);
                return;
            }
            output.Append((byte)'(');
            WireText.String(ref output, fields.Disposition[start..end]);
            output.Append((byte)' ');
            Parameters(fields.Disposition[end..], addCharset: false, ref output);
            output.Append((byte)')');
        }

        private void Language(scoped ReadOnlySpan<byte> raw, ref ByteScratch output)
        {
            bool any = false;
            int at = 0;
            for (int i = 0; i < limits.MaxParameters; i++)
            {
                while ((at = Tokens.SkipBlankAndComments(raw, at)) < raw.Length && !Tokens.IsToken(raw[at])) at++;
                if (at >= raw.Length) break;
                int end = Tokens.End(raw, at);
                output.Append(any ? (byte)' ' : (byte)'(');
                any = true;
                WireText.String(ref output, raw[at..end]);
                at = end;
            }
            if (any) output.Append((byte)')');
            else WireText.Nil(ref output);
        }

        private void Parameters(scoped ReadOnlySpan<byte> text, bool addCharset, ref ByteScratch output)
        {
            Span<ParameterList.Entry> few = stackalloc ParameterList.Entry[8];
            ParameterList list = new(text, few);
            // Rare: more parameters than fit on the stack.
            if (list.Count == few.Length && limits.MaxParameters > few.Length) list = new(text, new ParameterList.Entry[limits.MaxParameters]);
            bool any = false;
            ByteScratch value = new(stackalloc byte[256]);
            for (int i = 0; i < Math.Min(list.Count, limits.MaxParameters); i++)
            {
                if (list.IsTaken(i)) continue;
                value.Clear();
                bool star = list.IsExtended(i);
                bool joined = list.IsSegment(i) && list.Join(i, ref value, out star);
                if (!joined) list.WriteValue(i, ref value);
                addCharset &= !list.Is(i, "charset"u8);
                output.Append(any ? (byte)' ' : (byte)'(');
                any = true;
                Name(list.Name(i), star, ref output);
                output.Append((byte)' ');
                WireText.Unstructured(ref output, value.Written, limits);
            }
            value.Dispose();
            if (addCharset)
            {
                output.Append(any ? (byte)' ' : (byte)'(');
                output.Append("\"charset\" \"us-ascii\""u8);
                any = true;
            }
            if (any) output.Append((byte)')');
            else WireText.Nil(ref output);
        }

        private static void Name(scoped ReadOnlySpan<byte> name, bool star, ref ByteScratch output)
        {
            if (!star)
            {
                WireText.String(ref output, name);
                return;
            }
            ByteScratch whole = new(stackalloc byte[64]);
            whole.Append(name);
            whole.Append((byte)'*');
            WireText.String(ref output, whole.Written);
            whole.Dispose();
        }
    }
}
