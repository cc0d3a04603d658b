using System.Text;
using MimeKit.Encodings;
using MimeKit.Utils;

namespace Posthorn.Sieve.Tests.Messages;

/// <summary>A message for the tests: structure by a plain splitter, decoding by MimeKit.</summary>
internal sealed class PlainMessage : ISieveMessage
{
    private readonly ReadOnlyMemory<byte> _octets;

    public PlainMessage(ReadOnlyMemory<byte> octets)
    {
        _octets = octets;
        Root = new PlainPart(this, 0, octets.Length, 0, "text/plain");
        ReadOnlySpan<byte> span = octets.Span;
        long bare = 0;
        for (int i = 0; i < span.Length; i++)
            if (span[i] == '\n' && (i == 0 || span[i - 1] != '\r')) bare++;
        Size = octets.Length + bare;
    }

    public long Size { get; }

    public ISievePart Root { get; }

    public static ISieveMessage Parse(ReadOnlyMemory<byte> octets) => new PlainMessage(octets);

    public static ISieveMessage Of(string text) => new PlainMessage(SieveText.ToUtf8(text.ReplaceLineEndings("\r\n")));

    public ReadOnlyMemory<byte> Read(long offset, long length)
    {
        int start = (int)Math.Clamp(offset, 0, _octets.Length);
        return _octets.Slice(start, (int)Math.Clamp(length, 0, _octets.Length - start));
    }

    public string DecodeHeader(ReadOnlySpan<byte> unfolded) => Rfc2047.DecodeText(unfolded.ToArray());
}

internal sealed class PlainPart : ISievePart
{
    private readonly PlainMessage _message;
    private readonly Dictionary<string, string> _headers = new(StringComparer.OrdinalIgnoreCase);

    public PlainPart(PlainMessage message, long start, long end, int depth, string fallback)
    {
        _message = message;
        (Start, End) = (start, end);
        ReadOnlySpan<byte> octets = message.Read(start, end - start).Span;
        int at = 0;
        while (at < octets.Length)
        {
            int next = Line(octets, at);
            if (octets[at..next].Trim("\r\n"u8).IsEmpty)
            {
                HasBody = true;
                at = next;
                break;
            }
            while (next < octets.Length && octets[next] is (byte)' ' or (byte)'\t') next = Line(octets, next);
            string field = Encoding.Latin1.GetString(octets[at..next]);
            int colon = field.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0) _headers.TryAdd(field[..colon].Trim(), field[(colon + 1)..].Replace("\r", "").Replace("\n", "").Trim());
            at = next;
        }
        BodyStart = start + at;
        string type = _headers.GetValueOrDefault("Content-Type", fallback);
        string[] words = type.Split(';')[0].Trim().ToLowerInvariant().Split('/');
        (Type, Subtype) = words is [{ Length: > 0 } a, { Length: > 0 } b] ? (a, b) : ("text", "plain");
        if (depth > 20) return;
        if (Type == "multipart" && Parameter(type, "boundary") is { Length: > 0 } boundary) Split(octets, boundary, depth);
        else if (Type == "message" && Subtype == "rfc822" && HasBody) Children = [new PlainPart(message, BodyStart, end, depth + 1, "text/plain")];
    }

    public string Type { get; }
    public string Subtype { get; }
    public long Start { get; }
    public long BodyStart { get; }
    public long End { get; }
    public bool HasBody { get; }
    public IReadOnlyList<ISievePart> Children { get; private set; } = [];

    private static int Line(ReadOnlySpan<byte> octets, int at)
    {
        int end = octets[at..].IndexOf((byte)'\n');
        return end < 0 ? octets.Length : at + end + 1;
    }

    private static string? Parameter(string value, string name)
    {
        foreach (string piece in value.Split(';').Skip(1))
        {
            int equals = piece.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0 && piece[..equals].Trim().Equals(name, StringComparison.OrdinalIgnoreCase)) return piece[(equals + 1)..].Trim().Trim('"');
        }
        return null;
    }

    private void Split(ReadOnlySpan<byte> octets, string boundary, int depth)
    {
        byte[] mark = Encoding.Latin1.GetBytes("--" + boundary);
        List<ISievePart> children = [];
        int from = -1;
        int at = (int)(BodyStart - Start);
        while (at < octets.Length)
        {
            int next = Line(octets, at);
            if (octets[at..next].StartsWith(mark))
            {
                if (from >= 0)
                {
                    int end = at;
                    if (end > from && octets[end - 1] == '\n') end--;
                    if (end > from && octets[end - 1] == '\r') end--;
                    children.Add(new PlainPart(_message, Start + from, Start + end, depth + 1, Subtype == "digest" ? "message/rfc822" : "text/plain"));
                }
                from = octets[at..next].Slice(mark.Length).StartsWith("--"u8) ? -1 : next;
                if (from < 0) break;
            }
            at = next;
        }
        if (from >= 0) children.Add(new PlainPart(_message, Start + from, End, depth + 1, "text/plain"));
        Children = children;
    }

    public ReadOnlyMemory<byte> DecodeBody(int max)
    {
        ReadOnlyMemory<byte> raw = _message.Read(BodyStart, Math.Min(End - BodyStart, max));
        IMimeDecoder? decoder = _headers.GetValueOrDefault("Content-Transfer-Encoding", "7bit").ToLowerInvariant() switch
        {
            "base64" => new Base64Decoder(),
            "quoted-printable" => new QuotedPrintableDecoder(),
            _ => null,
        };
        if (decoder is null) return raw;
        byte[] input = raw.ToArray();
        byte[] output = new byte[decoder.EstimateOutputLength(input.Length)];
        int length = decoder.Decode(input, 0, input.Length, output);
        return output.AsMemory(0, length);
    }

    public string? DecodeText(int max)
    {
        if (_headers.GetValueOrDefault("Content-Transfer-Encoding", "7bit").ToLowerInvariant() is not ("7bit" or "8bit" or "binary" or "base64" or "quoted-printable")) return null;
        string charset = Parameter(_headers.GetValueOrDefault("Content-Type", ""), "charset") ?? "utf-8";
        ReadOnlySpan<byte> octets = DecodeBody(max).Span;
        if (charset.ToLowerInvariant() is "utf-8" or "us-ascii") return SieveText.FromUtf8(octets);
        try { return Encoding.GetEncoding(charset).GetString(octets); }
        catch (ArgumentException) { return null; }
    }
}
