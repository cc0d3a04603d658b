using System.Text;

namespace Posthorn.Transport.Policy;

/// <summary>One field of a message's header, as it stands there.</summary>
/// <param name="Name">Its name; empty for a line that is no field.</param>
/// <param name="Raw">All of it: name, colon, value with folds, last line end.</param>
public sealed record HeaderField(string Name, ReadOnlyMemory<byte> Raw)
{
    /// <summary>What stands behind the colon, folds kept, without the last line end.</summary>
    public ReadOnlyMemory<byte> Value
    {
        get
        {
            ReadOnlyMemory<byte> raw = Raw;
            if (raw.Span.EndsWith("\n"u8)) raw = raw[..^1];
            if (raw.Span.EndsWith("\r"u8)) raw = raw[..^1];
            return Name.Length == 0 ? raw : raw[(raw.Span.IndexOf((byte)':') + 1)..];
        }
    }

    /// <summary>True for the field of that name.</summary>
    public bool Is(string name) => name.Length > 0 && Name.Equals(name, StringComparison.OrdinalIgnoreCase);

    /// <summary>Makes a field. Bare line ends in the value become folds or CRLF, so that nothing in it can end the header.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">What stands behind the colon, with its leading blank.</param>
    public static HeaderField Make(string name, ReadOnlySpan<byte> value)
    {
        List<byte> raw = [.. Encoding.Latin1.GetBytes(name), (byte)':'];
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] is not ((byte)'\r' or (byte)'\n'))
            {
                raw.Add(value[i]);
                continue;
            }
            if (value[i] == '\r' && i + 1 < value.Length && value[i + 1] == '\n') i++;
            if (i + 1 == value.Length) break;
            raw.AddRange("\r\n"u8);
            if (value[i + 1] is not ((byte)' ' or (byte)'\t')) raw.Add((byte)'\t');
        }
        raw.AddRange("\r\n"u8);
        return new(name, raw.ToArray());
    }

    /// <summary>Parts a header, without the blank line behind it, into its fields.</summary>
    internal static List<HeaderField> Parse(ReadOnlyMemory<byte> header)
    {
        List<HeaderField> fields = [];
        ReadOnlySpan<byte> span = header.Span;
        for (int at = 0; at < span.Length;)
        {
            int end = EndOfField(span, at);
            fields.Add(new(NameOf(span[at..end]), header[at..end]));
            at = end;
        }
        return fields;
    }

    private static int EndOfField(ReadOnlySpan<byte> header, int at)
    {
        while (true)
        {
            int newline = header[at..].IndexOf((byte)'\n');
            if (newline < 0) return header.Length;
            at += newline + 1;
            if (at == header.Length || header[at] is not ((byte)' ' or (byte)'\t')) return at;
        }
    }

    private static string NameOf(ReadOnlySpan<byte> field)
    {
        int colon = field.IndexOf((byte)':');
        if (colon <= 0) return "";
        ReadOnlySpan<byte> name = field[..colon].TrimEnd(" \t"u8);
        foreach (byte c in name)
            if (c is <= 32 or 127) return "";
        return Encoding.Latin1.GetString(name);
    }
}
