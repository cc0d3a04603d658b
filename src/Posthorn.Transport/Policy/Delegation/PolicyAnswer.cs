using System.Text;

namespace Posthorn.Transport.Policy.Delegation;

/// <summary>An answer of a policy server: lines of name and value, an empty line at the end; the action is one of them.</summary>
/// <remarks><c>answer = *( name "=" value LF ) LF</c>; servers that write CRLF are understood.</remarks>
public static class PolicyAnswer
{
    /// <summary>True when the empty line has come.</summary>
    public static bool IsComplete(ReadOnlySpan<byte> octets) => octets.EndsWith("\n\n"u8) || octets.EndsWith("\n\r\n"u8) || octets.SequenceEqual("\n"u8) || octets.SequenceEqual("\r\n"u8);

    /// <summary>The action's text; the first one counts.</summary>
    public static bool TryParse(ReadOnlySpan<byte> octets, out string action)
    {
        action = "";
        foreach (Range range in octets.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = octets[range].TrimEnd((byte)'\r');
            if (!line.StartsWith("action="u8)) continue;
            action = Encoding.UTF8.GetString(line[7..]).Trim();
            return action.Length > 0;
        }
        return false;
    }
}
