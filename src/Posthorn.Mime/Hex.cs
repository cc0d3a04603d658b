namespace Posthorn.Mime;

/// <summary>Digits of hexadecimal and base64.</summary>
internal static class Hex
{
    public static bool TryByte(byte high, byte low, out byte value)
    {
        int h = Digit(high), l = Digit(low);
        value = (byte)(h << 4 | l);
        return (h | l) >= 0;
    }

    public static int Base64Value(byte b) => b switch
    {
        >= (byte)'A' and <= (byte)'Z' => b - 'A',
        >= (byte)'a' and <= (byte)'z' => b - 'a' + 26,
        >= (byte)'0' and <= (byte)'9' => b - '0' + 52,
        (byte)'+' => 62,
        (byte)'/' => 63,
        _ => -1,
    };

    private static int Digit(byte b) => b switch
    {
        >= (byte)'0' and <= (byte)'9' => b - '0',
        >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
        >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
        _ => -1,
    };
}
