using System.Text;
using Posthorn.Net;

namespace Posthorn.ManageSieve.Wire;

/// <summary>Writes responses (RFC 5804 section 4). Strings go out quoted where they may, else as literals.</summary>
internal sealed class ResponseWriter(Connection connection)
{
    private OutputBuffer Out => connection.Output;

    public bool IsLarge => Out.IsLarge;

    /// <summary>A capability: <c>"NAME"</c> or <c>"NAME" "value"</c>.</summary>
    public void Capability(string name, string? value)
    {
        String(name);
        if (value is not null)
        {
            Out.Write(" "u8);
            String(value);
        }
        Out.Write("\r\n"u8);
    }

    /// <summary>A line of LISTSCRIPTS.</summary>
    public void Script(string name, bool isActive)
    {
        String(name);
        Out.Write(isActive ? " ACTIVE\r\n"u8 : "\r\n"u8);
    }

    /// <summary>A script's text: always a literal.</summary>
    public void Content(ReadOnlySpan<byte> octets)
    {
        Literal(octets);
        Out.Write("\r\n"u8);
    }

    /// <summary>A SASL challenge.</summary>
    public void Challenge(ReadOnlySpan<byte> data)
    {
        String(Convert.ToBase64String(data));
        Out.Write("\r\n"u8);
    }

    /// <summary>The end of a command.</summary>
    public void End(Completion completion)
    {
        Out.Write(completion.Word);
        if (completion.Code is { } code)
        {
            Out.Write(" ("u8);
            Out.Write(code);
            if (completion.CodeText is { } argument)
            {
                Out.Write(" "u8);
                String(argument);
            }
            Out.Write(")"u8);
        }
        if (completion.Text.Length > 0)
        {
            Out.Write(" "u8);
            String(completion.Text);
        }
        Out.Write("\r\n"u8);
    }

    private void String(string text)
    {
        byte[] octets = Encoding.UTF8.GetBytes(text);
        if (octets.Length > ArgumentReader.MaxQuoted || octets.AsSpan().ContainsAny("\r\n\0"u8))
        {
            Literal(octets);
            return;
        }
        Out.Write("\""u8);
        foreach (byte b in octets)
        {
            if (b is (byte)'"' or (byte)'\\') Out.Write("\\"u8);
            Out.Write([b]);
        }
        Out.Write("\""u8);
    }

    private void Literal(ReadOnlySpan<byte> octets)
    {
        Out.Write("{"u8);
        Out.Write(octets.Length);
        Out.Write("}\r\n"u8);
        Out.Write(octets);
    }
}
