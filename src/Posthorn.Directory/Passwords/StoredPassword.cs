using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Posthorn.Directory.Passwords;

/// <summary>What a checking costs, which decides who must queue for it.</summary>
internal enum HashCost { Cheap, Slow, Memory }

/// <summary>A password as a passwd-file keeps it: <c>{SCHEME}data</c>, in Dovecot's schemes. Never prints itself.</summary>
internal abstract record StoredPassword
{
    private StoredPassword() { }

    /// <summary>The text in the file, which names this password in the cache.</summary>
    public required string Source { get; init; }

    /// <summary>The scheme's name, in capitals.</summary>
    public required string Scheme { get; init; }

    public virtual HashCost Cost => HashCost.Cheap;

    public sealed override string ToString() => $"{{{Scheme}}}…";

    /// <summary>The password itself.</summary>
    public sealed record Plain(byte[] Password) : StoredPassword;

    /// <summary>A string of crypt(3).</summary>
    public sealed record Crypt(string Setting) : StoredPassword
    {
        public override HashCost Cost => HashCost.Slow;
    }

    /// <summary>Argon2 (RFC 9106) in the PHC string format.</summary>
    public sealed record Argon2(Argon2Hash Hash) : StoredPassword
    {
        public override HashCost Cost => HashCost.Memory;
    }

    /// <summary>One round of a hash, with a salt after the password or none.</summary>
    public sealed record Digest(HashAlgorithmName Algorithm, byte[] Hash, byte[] Salt) : StoredPassword;

    /// <summary>PBKDF2 with SHA-1, as Dovecot writes it.</summary>
    public sealed record Pbkdf2(byte[] Salt, int Rounds, byte[] Hash) : StoredPassword
    {
        public override HashCost Cost => HashCost.Slow;
    }

    /// <summary>The keys of SCRAM.</summary>
    public sealed record Scram(ScramKeys Keys) : StoredPassword
    {
        public override HashCost Cost => HashCost.Slow;
    }

    /// <summary>Reads a password field; null and what is wrong (without the secret) where it cannot be used.</summary>
    public static StoredPassword? Parse(string field, out string error)
    {
        error = "";
        string scheme = "CRYPT", data = field;
        if (field[0] == '{')
        {
            int end = field.IndexOf('}', StringComparison.Ordinal);
            if (end < 0) return Fail("it begins with '{' but has no '}'", out error);
            scheme = field[1..end].ToUpperInvariant();
            data = field[(end + 1)..];
        }
        else if (field.StartsWith("$argon2id$", StringComparison.Ordinal)) scheme = "ARGON2ID";
        else if (field.StartsWith("$argon2i$", StringComparison.Ordinal)) scheme = "ARGON2I";

        string encoding = "";
        if (scheme.LastIndexOf('.') is > 0 and int dot) (scheme, encoding) = (scheme[..dot], scheme[(dot + 1)..]);
        if (encoding is not ("" or "HEX" or "B64" or "BASE64")) return Fail($"unknown encoding '.{encoding}'; expected .HEX or .B64", out error);
        if (data.Length == 0) return Fail($"nothing follows {{{scheme}}}", out error);
        return scheme switch
        {
            "PLAIN" or "CLEARTEXT" or "CLEAR" => OfPlain(field, scheme, data, encoding, out error),
            "CRYPT" or "SHA512-CRYPT" or "SHA256-CRYPT" or "BLF-CRYPT" or "MD5-CRYPT" or "DES-CRYPT" or "MD5" => OfCrypt(field, scheme, data, encoding, out error),
            "ARGON2ID" or "ARGON2I" => OfArgon2(field, scheme, data, out error),
            "SHA" or "SHA1" or "SSHA" => OfDigest(field, scheme, data, encoding, HashAlgorithmName.SHA1, 20, out error),
            "SHA256" or "SSHA256" => OfDigest(field, scheme, data, encoding, HashAlgorithmName.SHA256, 32, out error),
            "SHA512" or "SSHA512" => OfDigest(field, scheme, data, encoding, HashAlgorithmName.SHA512, 64, out error),
            "PBKDF2" => OfPbkdf2(field, scheme, data, out error),
            "SCRAM-SHA-1" => OfScram(field, scheme, data, ScramHash.Sha1, 20, out error),
            "SCRAM-SHA-256" => OfScram(field, scheme, data, ScramHash.Sha256, 32, out error),
            _ => Fail($"unknown scheme '{{{scheme}}}'; known are ARGON2ID, SHA512-CRYPT, BLF-CRYPT, SHA256-CRYPT, CRYPT, SCRAM-SHA-256, SCRAM-SHA-1, PBKDF2, SSHA512, SSHA256, SSHA, SHA512, SHA256, SHA, PLAIN", out error),
        };
    }

    private static Plain? OfPlain(string source, string scheme, string data, string encoding, out string error)
    {
        byte[]? bytes = encoding.Length == 0 ? Encoding.UTF8.GetBytes(data) : Decode(data, encoding, 0);
        error = bytes is null ? "it does not decode" : "";
        return bytes is null ? null : new Plain(bytes) { Source = source, Scheme = scheme };
    }

    private static Crypt? OfCrypt(string source, string scheme, string data, string encoding, out string error)
    {
        error = "";
        if (encoding.Length > 0)
        {
            if (Decode(data, encoding, 0) is not { } bytes) return Fail("it does not decode", out error) as Crypt;
            data = Encoding.Latin1.GetString(bytes);
        }
        bool fits = scheme switch
        {
            "SHA512-CRYPT" => data.StartsWith("$6$", StringComparison.Ordinal),
            "SHA256-CRYPT" => data.StartsWith("$5$", StringComparison.Ordinal),
            "BLF-CRYPT" => data.StartsWith("$2", StringComparison.Ordinal),
            "MD5-CRYPT" or "MD5" => data.StartsWith("$1$", StringComparison.Ordinal),
            "DES-CRYPT" => data.Length == 13,
            _ => data[0] == '$' || data.Length == 13,
        };
        if (fits && Ascii.IsValid(data)) return new Crypt(data) { Source = source, Scheme = scheme };
        error = source[0] == '{' ? $"it does not look like {{{scheme}}}" : "it has no {SCHEME} before it and does not look like a crypt(3) string; is it a clear-text password without {PLAIN}?";
        return null;
    }

    private static Argon2? OfArgon2(string source, string scheme, string data, out string error)
    {
        Argon2Hash? hash = Argon2Hash.Parse(data, out error);
        return hash is null ? null : new Argon2(hash) { Source = source, Scheme = scheme };
    }

    private static Digest? OfDigest(string source, string scheme, string data, string encoding, HashAlgorithmName algorithm, int size, out string error)
    {
        bool salted = scheme.StartsWith("SS", StringComparison.Ordinal);
        byte[]? bytes = Decode(data, encoding, salted ? 0 : size);
        error = bytes is null || bytes.Length < size || (!salted && bytes.Length != size) ? $"it is not {size} octets{(salted ? " and a salt" : "")} in base64 or hexadecimal" : "";
        return error.Length > 0 ? null : new Digest(algorithm, bytes![..size], bytes[size..]) { Source = source, Scheme = scheme };
    }

    private static Pbkdf2? OfPbkdf2(string source, string scheme, string data, out string error)
    {
        error = "it is not $1$salt$rounds$hash";
        string[] parts = data.Split('$');
        if (parts.Length != 5 || parts[0].Length > 0 || parts[1] != "1") return null;
        // Ten million rounds take seconds; more is a mistake or an attack by whoever may write the file.
        if (!int.TryParse(parts[3], NumberStyles.None, CultureInfo.InvariantCulture, out int rounds) || rounds is 0 or > 10_000_000) return null;
        if (Decode(parts[4], "HEX", 0) is not { Length: 20 } hash) return null;
        error = "";
        return new Pbkdf2(Encoding.UTF8.GetBytes(parts[2]), rounds, hash) { Source = source, Scheme = scheme };
    }

    // Dovecot: iterations,salt,StoredKey,ServerKey, the last three in base64.
    private static Scram? OfScram(string source, string scheme, string data, ScramHash hash, int size, out string error)
    {
        error = "it is not iterations,salt,StoredKey,ServerKey";
        string[] parts = data.Split(',');
        if (parts.Length != 4 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int iterations) || iterations is 0 or > 10_000_000) return null;
        byte[]? salt = Decode(parts[1], "B64", 0), stored = Decode(parts[2], "B64", 0), server = Decode(parts[3], "B64", 0);
        if (salt is not { Length: > 0 } || stored?.Length != size || server?.Length != size) return null;
        error = "";
        return new Scram(new ScramKeys(hash, iterations, salt, stored, server)) { Source = source, Scheme = scheme };
    }

    // Without a named encoding a fixed-size hash of twice its length is hexadecimal, all else base64 (as Dovecot).
    private static byte[]? Decode(string data, string encoding, int size)
    {
        bool hex = encoding == "HEX" || (encoding.Length == 0 && size > 0 && data.Length == size * 2);
        try { return hex ? Convert.FromHexString(data) : Convert.FromBase64String(data.PadRight((data.TrimEnd('=').Length + 3) / 4 * 4, '=')); }
        catch (FormatException) { return null; }
    }

    private static StoredPassword? Fail(string text, out string error)
    {
        error = text;
        return null;
    }
}
