namespace Posthorn.Mime;

/// <summary>The raw fields of one part's header that describe its content (RFC 2045 section 3). Of repeated ones the first counts.</summary>
internal ref struct ContentFields
{
    private Seen _seen;

    public ReadOnlySpan<byte> Type, Encoding, Id, Description, Md5, Disposition, Language, Location;

    [Flags]
    private enum Seen { Type = 1, Encoding = 2, Id = 4, Description = 8, Md5 = 16, Disposition = 32, Language = 64, Location = 128 }

    public readonly bool HasType => (_seen & Seen.Type) != 0;
    public readonly bool HasId => (_seen & Seen.Id) != 0;
    public readonly bool HasDescription => (_seen & Seen.Description) != 0;
    public readonly bool HasMd5 => (_seen & Seen.Md5) != 0;
    public readonly bool HasDisposition => (_seen & Seen.Disposition) != 0;
    public readonly bool HasLanguage => (_seen & Seen.Language) != 0;
    public readonly bool HasLocation => (_seen & Seen.Location) != 0;

    /// <summary>Reads a whole header, within the limits.</summary>
    public static ContentFields Read(ReadOnlySpan<byte> header, MimeLimits limits)
    {
        ContentFields fields = default;
        HeaderReader reader = new(header);
        int count = 0;
        while (reader.MoveNext() && ++count <= limits.MaxHeaderFields && reader.Position <= limits.MaxHeaderBytes) fields.Take(reader.Current);
        return fields;
    }

    public void Take(HeaderField field)
    {
        ReadOnlySpan<byte> name = field.Name;
        if (name.Length is < 10 or > 25 || name[7] != '-' || (name[0] | 0x20) != 'c' || !Octets.Is(name[..8], "content-"u8)) return;
        ReadOnlySpan<byte> rest = name[8..];
        switch (rest.Length)
        {
            case 2 when Octets.Is(rest, "id"u8): Set(ref Id, Seen.Id, field.RawValue); break;
            case 3 when Octets.Is(rest, "md5"u8): Set(ref Md5, Seen.Md5, field.RawValue); break;
            case 4 when Octets.Is(rest, "type"u8): Set(ref Type, Seen.Type, field.RawValue); break;
            case 8 when Octets.Is(rest, "language"u8): Set(ref Language, Seen.Language, field.RawValue); break;
            case 8 when Octets.Is(rest, "location"u8): Set(ref Location, Seen.Location, field.RawValue); break;
            case 11 when Octets.Is(rest, "disposition"u8): Set(ref Disposition, Seen.Disposition, field.RawValue); break;
            case 11 when Octets.Is(rest, "description"u8): Set(ref Description, Seen.Description, field.RawValue); break;
            case 17 when Octets.Is(rest, "transfer-encoding"u8): Set(ref Encoding, Seen.Encoding, field.RawValue); break;
        }
    }

    /// <summary>The transfer encoding's name alone, without comments or what follows; empty if there is none.</summary>
    public readonly ReadOnlySpan<byte> EncodingToken => ContentToken(Encoding);

    public readonly TransferEncoding TransferEncoding
    {
        get
        {
            ReadOnlySpan<byte> token = EncodingToken;
            if (token.IsEmpty || Octets.Is(token, "7bit"u8)) return TransferEncoding.SevenBit;
            if (Octets.Is(token, "base64"u8)) return TransferEncoding.Base64;
            if (Octets.Is(token, "quoted-printable"u8)) return TransferEncoding.QuotedPrintable;
            if (Octets.Is(token, "8bit"u8)) return TransferEncoding.EightBit;
            if (Octets.Is(token, "binary"u8)) return TransferEncoding.Binary;
            if (Octets.Is(token, "x-uuencode"u8) || Octets.Is(token, "uuencode"u8) || Octets.Is(token, "x-uue"u8)) return TransferEncoding.UuEncode;
            // "7-bit", "8-bit" and the like come from scripts and mean what they seem to.
            return Octets.Is(token, "7-bit"u8) || Octets.Is(token, "8-bit"u8) ? TransferEncoding.EightBit : TransferEncoding.Unknown;
        }
    }

    private static ReadOnlySpan<byte> ContentToken(ReadOnlySpan<byte> raw)
    {
        int start = Tokens.SkipBlankAndComments(raw, 0);
        return raw[start..Tokens.End(raw, start)];
    }

    private void Set(ref ReadOnlySpan<byte> slot, Seen bit, ReadOnlySpan<byte> value)
    {
        if ((_seen & bit) != 0) return;
        _seen |= bit;
        slot = value;
    }
}
