using System.Buffers.Text;

namespace Posthorn.Directory.Sasl;

/// <summary>SASL responses as mail protocols carry them (RFC 4954 section 4, RFC 9051 section 6.2.2).</summary>
public static class SaslBase64
{
    /// <summary>True for <c>*</c>, by which the client gives up.</summary>
    public static bool IsCancel(ReadOnlySpan<byte> line) => line is [(byte)'*'];

    /// <summary>Decodes a response; <c>=</c> alone is an empty initial response. Blanks and missing padding are not taken.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> line, out byte[] response)
    {
        response = [];
        if (line.IsEmpty || line is [(byte)'=']) return true;
        if (line.Length % 4 != 0 || line.ContainsAny(" \t\r\n"u8) || !Base64.IsValid(line, out int length)) return false;
        byte[] decoded = new byte[length];
        if (Base64.DecodeFromUtf8(line, decoded, out _, out int written) != System.Buffers.OperationStatus.Done) return false;
        response = decoded.AsSpan(0, written).ToArray();
        return true;
    }
}
