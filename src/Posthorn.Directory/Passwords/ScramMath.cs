using System.Security.Cryptography;

namespace Posthorn.Directory.Passwords;

/// <summary>The computations of SCRAM (RFC 5802 section 3).</summary>
internal static class ScramMath
{
    /// <summary>Iterations for keys that we make ourselves: the least that RFC 7677 section 4 allows, as they are made anew at each login.</summary>
    public const int Iterations = 4096;

    /// <summary>Octets of the salt for keys that we make ourselves.</summary>
    public const int SaltLength = 16;

    public static ScramKeys KeysOf(ScramHash hash, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int iterations)
    {
        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, Algorithm(hash), Size(hash));
        byte[] client = Hmac(hash, salted, "Client Key"u8);
        return new(hash, iterations, salt.ToArray(), Digest(hash, client), Hmac(hash, salted, "Server Key"u8));
    }

    /// <summary>The client's proof that it knows the password, and the signature by which the server proves the same.</summary>
    public static (byte[] Proof, byte[] ServerSignature) Prove(ScramHash hash, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int iterations, ReadOnlySpan<byte> authMessage)
    {
        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, Algorithm(hash), Size(hash));
        byte[] proof = Hmac(hash, salted, "Client Key"u8);
        byte[] signature = Hmac(hash, Digest(hash, proof), authMessage);
        for (int i = 0; i < proof.Length; i++) proof[i] ^= signature[i];
        return (proof, Hmac(hash, Hmac(hash, salted, "Server Key"u8), authMessage));
    }

    /// <summary>True when the proof was made with the password behind these keys.</summary>
    public static bool IsProof(ScramKeys keys, ReadOnlySpan<byte> authMessage, ReadOnlySpan<byte> proof)
    {
        byte[] signature = Hmac(keys.Hash, keys.StoredKey.Span, authMessage);
        if (proof.Length != signature.Length) return false;
        for (int i = 0; i < signature.Length; i++) signature[i] ^= proof[i];
        return CryptographicOperations.FixedTimeEquals(Digest(keys.Hash, signature), keys.StoredKey.Span);
    }

    public static byte[] ServerSignature(ScramKeys keys, ReadOnlySpan<byte> authMessage) => Hmac(keys.Hash, keys.ServerKey.Span, authMessage);

    public static int Size(ScramHash hash) => hash == ScramHash.Sha1 ? 20 : 32;

    private static HashAlgorithmName Algorithm(ScramHash hash) => hash == ScramHash.Sha1 ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256;

#pragma warning disable CA5350 // SCRAM-SHA-1 is what RFC 5802 defines; HMAC-SHA-1 is not known to be weak.
    private static byte[] Hmac(ScramHash hash, ReadOnlySpan<byte> key, ReadOnlySpan<byte> data) =>
        hash == ScramHash.Sha1 ? HMACSHA1.HashData(key, data) : HMACSHA256.HashData(key, data);

    private static byte[] Digest(ScramHash hash, ReadOnlySpan<byte> data) =>
        hash == ScramHash.Sha1 ? SHA1.HashData(data) : SHA256.HashData(data);
#pragma warning restore CA5350
}
