using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Posthorn.Directory.Passwords;

/// <summary>SCRAM for accounts that have a password in clear text, and for names that nobody has: both look like an account with stored keys (RFC 5802 section 9), today and after a restart.</summary>
internal sealed class ScramSecrets(DirectoryOptions options, ILogger log)
{
    private const int SecretLength = 32;

    private readonly Lazy<byte[]> _secret = new(() => SecretOf(options.SecretFile, log)); // made when somebody logs in by SCRAM, not by who only looks at accounts
    private readonly ConcurrentDictionary<(string Source, ScramHash Hash, string Salt), ScramKeys> _derived = new();

    /// <summary>Keys that no proof fits. Their salt depends on the name alone.</summary>
    public ScramKeys MadeUp(string name, ScramHash hash, (int Iterations, int Salt) shape)
    {
        byte[] salt = HKDF.Expand(HashAlgorithmName.SHA256, Extract(name), shape.Salt, "salt"u8.ToArray());
        int size = ScramMath.Size(hash);
        byte[] keys = HKDF.Expand(HashAlgorithmName.SHA256, Extract(name), 2 * size, "keys"u8.ToArray());
        return new(hash, shape.Iterations, salt, keys.AsMemory(0, size), keys.AsMemory(size));
    }

    /// <summary>The keys of a password for a salt, computed once.</summary>
    public ScramKeys KeysOf(ScramKeys shown, StoredPassword.Plain plain)
    {
        (string, ScramHash, string) name = (plain.Source, shown.Hash, Convert.ToBase64String(shown.Salt.Span));
        if (_derived.TryGetValue(name, out ScramKeys? known)) return known;
        string text = Encoding.UTF8.GetString(plain.Password);
        ScramKeys made = ScramMath.KeysOf(shown.Hash, Encoding.UTF8.GetBytes(PasswordForms.SaslPrep(text) ?? text), shown.Salt.Span, shown.Iterations);
        if (_derived.Count >= options.Limits.ScramKeysKept) _derived.Clear(); // passwords that were changed are among them
        return _derived[name] = made;
    }

    private byte[] Extract(string name) => HMACSHA256.HashData(_secret.Value, Encoding.UTF8.GetBytes(name));

    private static byte[] SecretOf(string? path, ILogger log)
    {
        byte[] fresh = RandomNumberGenerator.GetBytes(SecretLength);
        if (path is null) return fresh;
        try
        {
            if (File.Exists(path) && File.ReadAllBytes(path) is { Length: SecretLength } kept) return kept;
            FileStreamOptions owned = new() { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
            using FileStream file = new(path, owned);
            file.Write(fresh);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            log.NoSecret(problem, path);
        }

        return fresh;
    }
}
