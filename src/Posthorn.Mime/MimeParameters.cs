namespace Posthorn.Mime;

/// <summary>Decoded parameters of Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2231; encoded words in values as senders write them).</summary>
public static class MimeParameters
{
    /// <summary>The value of one parameter, or null. An extended form (<c>name*</c>) wins over a plain one.</summary>
    public static string? Get(ReadOnlySpan<byte> rawField, ReadOnlySpan<byte> name, MimeLimits limits)
    {
        ReadOnlySpan<byte> parameters = Behind(rawField);
        if (parameters.IsEmpty) return null;
        ParameterList list = new(parameters, new ParameterList.Entry[Math.Min(limits.MaxParameters, 16)]);
        if (list.Count == 16) list = new(parameters, new ParameterList.Entry[limits.MaxParameters]);
        ByteScratch value = new(stackalloc byte[256]);
        string? plain = null, best = null;
        for (int i = 0; i < list.Count && best is null; i++)
        {
            if (list.IsTaken(i) || !list.Is(i, name)) continue;
            value.Clear();
            bool extended = list.IsExtended(i);
            if (!list.IsSegment(i) || !list.Join(i, ref value, out extended)) list.WriteValue(i, ref value);
            ReadOnlySpan<byte> bytes = value.Written[..Math.Min(value.Length, limits.MaxValueBytes)];
            if (extended) best = Extended(bytes);
            else plain ??= EncodedWord.Decode(bytes);
        }
        value.Dispose();
        return best ?? plain;
    }

    // What stands behind the value itself, as BODYSTRUCTURE reads it: a missing semicolon hides nothing.
    private static ReadOnlySpan<byte> Behind(ReadOnlySpan<byte> rawField)
    {
        int at = Tokens.SkipBlankAndComments(rawField, 0);
        at = Tokens.SkipBlankAndComments(rawField, Tokens.End(rawField, at));
        if (at < rawField.Length && rawField[at] == '/') at = Tokens.End(rawField, Tokens.SkipBlankAndComments(rawField, at + 1));
        return rawField[at..];
    }

    // charset'language'text with %xx
    private static string Extended(ReadOnlySpan<byte> value)
    {
        ReadOnlySpan<byte> charset = default;
        int first = value.IndexOf((byte)'\'');
        int second = first < 0 ? -1 : value[(first + 1)..].IndexOf((byte)'\'');
        if (second >= 0)
        {
            charset = value[..first];
            value = value[(first + second + 2)..];
        }
        ByteScratch bytes = new(stackalloc byte[256]);
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] == '%' && i + 2 < value.Length && Hex.TryByte(value[i + 1], value[i + 2], out byte b))
            {
                bytes.Append(b);
                i += 2;
            }
            else bytes.Append(value[i]);
        }
        string text = Charsets.Find(charset).GetString(bytes.Written);
        bytes.Dispose();
        return text;
    }
}

/// <summary>What a part's header says of its content, as text (RFC 2045 section 3, RFC 2183).</summary>
/// <param name="Type">The media type, lower case.</param>
/// <param name="Subtype">The subtype, lower case.</param>
/// <param name="Charset">The charset parameter, or null.</param>
/// <param name="FileName">The name from Content-Disposition, else from Content-Type, or null.</param>
/// <param name="Disposition">The disposition, lower case; null if there is none.</param>
/// <param name="Id">Content-ID as it stands, or null.</param>
/// <param name="Description">Content-Description, decoded, or null.</param>
public sealed record PartContent(string Type, string Subtype, string? Charset, string? FileName, string? Disposition, string? Id, string? Description)
{
    /// <summary>The type has more words than two, as <c>text/plain/stupid</c>.</summary>
    public bool HasExtraWord { get; private init; }

    /// <summary>Reads the header of <paramref name="part"/>.</summary>
    public static PartContent Read(MimePart part, ReadOnlySpan<byte> message, MimeLimits limits)
    {
        ContentFields fields = ContentFields.Read(part.Header(message), limits);
        MediaTypeValue type = MediaTypeValue.Parse(fields.HasType ? fields.Type : part.Kind == PartKind.Message ? "message/rfc822"u8 : "text/plain"u8);
        int start = Tokens.SkipBlankAndComments(fields.Disposition, 0);
        ReadOnlySpan<byte> disposition = fields.Disposition[start..Tokens.End(fields.Disposition, start)];
        return new(
            Lower(type.Type),
            Lower(type.Subtype),
            MimeParameters.Get(fields.Type, "charset"u8, limits),
            MimeParameters.Get(fields.Disposition, "filename"u8, limits) ?? MimeParameters.Get(fields.Type, "name"u8, limits),
            disposition.IsEmpty ? null : Lower(disposition),
            fields.HasId ? EncodedWord.Decode(fields.Id) : null,
            fields.HasDescription ? EncodedWord.Decode(fields.Description) : null)
        {
            HasExtraWord = Tokens.SkipBlankAndComments(type.Parameters, 0) is int next && next < type.Parameters.Length && type.Parameters[next] == '/',
        };
    }

    private static string Lower(ReadOnlySpan<byte> word) => System.Text.Encoding.Latin1.GetString(word).ToLowerInvariant();
}
