using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Crypto.Parameters;

namespace Posthorn.Directory.Passwords;

/// <summary>Makes password fields for passwd-files.</summary>
public static class PasswordHasher
{
    /// <summary><c>{ARGON2ID}</c> with 19 MiB, two passes, one lane: the least that OWASP names, so that a small server bears many logins.</summary>
    public static string Argon2Id(string password)
    {
        Argon2Hash hash = new(Argon2Parameters.Argon2id, 19, 19456, 2, 1, RandomNumberGenerator.GetBytes(16), new byte[32]);
        return "{ARGON2ID}" + (hash with { Hash = hash.Compute(Octets(password)) });
    }

    /// <summary><c>{SCRAM-SHA-256}</c> keys as Dovecot writes them, which serve PLAIN and LOGIN too.</summary>
    public static string ScramSha256(string password)
    {
        byte[] prepared = Encoding.UTF8.GetBytes(PasswordForms.SaslPrep(password) ?? password);
        ScramKeys keys = ScramMath.KeysOf(ScramHash.Sha256, prepared, RandomNumberGenerator.GetBytes(16), ScramMath.Iterations);
        return $"{{SCRAM-SHA-256}}{ScramMath.Iterations},{Convert.ToBase64String(keys.Salt.Span)},{Convert.ToBase64String(keys.StoredKey.Span)},{Convert.ToBase64String(keys.ServerKey.Span)}";
    }

    private static byte[] Octets(string password) => Encoding.UTF8.GetBytes(PasswordForms.OpaqueString(password));
}
