using System.Text;

namespace Posthorn.DovecotAuth;

/// <summary>One line of the protocol: a command and its arguments, parted by tabs.</summary>
/// <remarks>In a value, octet 1 and a letter stand for what would break the line: <c>0</c> NUL, <c>1</c> octet 1, <c>t</c> tab, <c>n</c> LF, <c>r</c> CR.</remarks>
internal sealed class AuthLine
{
    private readonly string[] _fields;

    private AuthLine(string[] fields) => _fields = fields;

    public string Command => _fields[0];

    /// <summary>The argument at this place; empty where there is none.</summary>
    public string this[int index] => index + 1 < _fields.Length ? _fields[index + 1] : "";

    public static AuthLine Parse(ReadOnlySpan<byte> line) => new([.. Encoding.UTF8.GetString(line).Split('\t').Select(Unescape)]);

    /// <summary>The value of <c>name=value</c>, from the given argument on; empty for <c>name</c> alone, null where neither is there.</summary>
    public string? Parameter(string name, int from)
    {
        for (int i = from + 1; i < _fields.Length; i++)
        {
            if (_fields[i] == name) return "";
            if (_fields[i].Length > name.Length && _fields[i][name.Length] == '=' && _fields[i].StartsWith(name, StringComparison.Ordinal)) return _fields[i][(name.Length + 1)..];
        }
        return null;
    }

    public static string Escape(string value)
    {
        if (value.AsSpan().IndexOfAny("\0\x01\t\n\r") < 0) return value;
        StringBuilder safe = new();
        foreach (char c in value)
        {
            if (c is '\0' or '\x01' or '\t' or '\n' or '\r') safe.Append('\x01');
            safe.Append(c switch { '\0' => '0', '\x01' => '1', '\t' => 't', '\n' => 'n', '\r' => 'r', _ => c });
        }
        return safe.ToString();
    }

    private static string Unescape(string value)
    {
        if (!value.Contains('\x01', StringComparison.Ordinal)) return value;
        StringBuilder plain = new();
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] != '\x01' || i + 1 == value.Length) plain.Append(value[i]);
            else plain.Append(value[++i] switch { '0' => '\0', '1' => '\x01', 't' => '\t', 'n' => '\n', 'r' => '\r', char other => other });
        }
        return plain.ToString();
    }
}
