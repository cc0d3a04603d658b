using System.Globalization;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;

namespace Posthorn.Directory.Passwords;

/// <summary>An Argon2 hash (RFC 9106) with its parameters: <c>$argon2id$v=19$m=19456,t=2,p=1$salt$hash</c>.</summary>
internal sealed record Argon2Hash(int Type, int Version, int MemoryKiB, int Passes, int Lanes, byte[] Salt, byte[] Hash)
{
    // One checking must fit a small server and end in seconds.
    private const int MaxMemoryKiB = 1 << 20;
    private const int MaxPasses = 64;
    private const int MaxLanes = 64;

    public byte[] Compute(ReadOnlySpan<byte> password)
    {
        Argon2Parameters parameters = new Argon2Parameters.Builder(Type)
            .WithVersion(Version).WithMemoryAsKB(MemoryKiB).WithIterations(Passes).WithParallelism(Lanes).WithSalt(Salt).Build();
        Argon2BytesGenerator generator = new();
        generator.Init(parameters);
        byte[] hash = new byte[Hash.Length];
        byte[] copy = password.ToArray();
        generator.GenerateBytes(copy, hash);
        Array.Clear(copy);
        return hash;
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"${(Type == Argon2Parameters.Argon2id ? "argon2id" : "argon2i")}$v={Version}$m={MemoryKiB},t={Passes},p={Lanes}${Base64(Salt)}${Base64(Hash)}");

    public static Argon2Hash? Parse(string text, out string error)
    {
        error = "it is not $argon2id$v=19$m=…,t=…,p=…$salt$hash";
        string[] parts = text.Split('$');
        if (parts.Length is not (5 or 6) || parts[0].Length > 0) return null;
        int type = parts[1] switch { "argon2id" => Argon2Parameters.Argon2id, "argon2i" => Argon2Parameters.Argon2i, _ => -1 };
        // Without a version it is the first one, 1.0 (16).
        int version = parts.Length == 5 ? 16 : parts[2] switch { "v=19" => 19, "v=16" => 16, _ => -1 };
        if (type < 0 || version < 0) return null;
        int memory = 0, passes = 0, lanes = 0;
        foreach (string parameter in parts[^3].Split(','))
        {
            if (parameter.Length < 3 || !int.TryParse(parameter.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out int value)) return null;
            switch (parameter.AsSpan(0, 2))
            {
                case "m=": memory = value; break;
                case "t=": passes = value; break;
                case "p=": lanes = value; break;
                default: return null;
            }
        }
        if (memory < 8 || passes < 1 || lanes < 1) return null;
        if (memory > MaxMemoryKiB || passes > MaxPasses || lanes > MaxLanes)
        {
            error = $"its parameters are beyond m={MaxMemoryKiB},t={MaxPasses},p={MaxLanes}";
            return null;
        }
        if (Bytes(parts[^2]) is not { Length: >= 8 and <= 64 } salt || Bytes(parts[^1]) is not { Length: >= 16 and <= 128 } hash) return null;
        error = "";
        return new(type, version, memory, passes, lanes, salt, hash);
    }

    private static string Base64(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    private static byte[]? Bytes(string text)
    {
        try { return Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '=')); }
        catch (FormatException) { return null; }
    }
}
