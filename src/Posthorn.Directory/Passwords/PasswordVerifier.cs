using System.Security.Cryptography;
using System.Text;

namespace Posthorn.Directory.Passwords;

/// <summary>What a checking found.</summary>
internal enum Verdict { Mismatch, Match, Busy, Unusable }

/// <summary>Compares passwords with what is stored, slow ones a few at a time, and remembers recent successes.</summary>
internal sealed class PasswordVerifier(DirectoryLimits limits, TimeProvider time) : IDisposable
{
    private readonly WorkGate _memory = new(limits.Argon2AtOnce, limits.Argon2Waiting);
    private readonly WorkGate _slow = new(limits.SlowHashesAtOnce, limits.SlowHashesWaiting);
    private int _computations;

    internal SuccessCache Cache { get; } = new(limits.CacheEntries, limits.CacheLifetime, time);

    /// <summary>How many hashes were computed.</summary>
    internal int Computations => Volatile.Read(ref _computations);

    /// <summary>Checks a password in all its readings. Without a <paramref name="login"/> it is done for its duration only and never matches.</summary>
    public async ValueTask<(Verdict Verdict, PasswordForm Form)> VerifyAsync(string? login, StoredPassword stored, ReadOnlyMemory<byte> password, CancellationToken cancel)
    {
        SuccessCache.Ticket ticket = default;
        if (login is not null && stored.Cost != HashCost.Cheap)
        {
            ticket = Cache.TicketFor(login, stored.Source, password.Span);
            if (Cache.Find(ticket) is { } known) return (Verdict.Match, known);
        }
        WorkGate? gate = stored.Cost switch { HashCost.Memory => _memory, HashCost.Slow => _slow, _ => null };
        if (gate is not null && !await gate.EnterAsync(cancel)) return (Verdict.Busy, default);
        try
        {
            foreach ((PasswordForm form, byte[] octets) in PasswordForms.Of(password.Span))
            {
                Interlocked.Increment(ref _computations);
                Verdict verdict = Compare(stored, octets);
                CryptographicOperations.ZeroMemory(octets);
                if (verdict == Verdict.Unusable) return (verdict, form);
                if (verdict != Verdict.Match || login is null) continue;
                if (stored.Cost != HashCost.Cheap) Cache.Remember(ticket, form);
                return (Verdict.Match, form);
            }
            return (Verdict.Mismatch, default);
        }
        finally { gate?.Leave(); }
    }

    public void Dispose()
    {
        _memory.Dispose();
        _slow.Dispose();
    }

    private static Verdict Compare(StoredPassword stored, byte[] password) => stored switch
    {
        StoredPassword.Plain plain => Of(FixedEquals(plain.Password, password)),
        StoredPassword.Crypt crypt => SystemCrypt.Hash(password, crypt.Setting) is { } hash
            ? Of(FixedEquals(Encoding.Latin1.GetBytes(hash), Encoding.Latin1.GetBytes(crypt.Setting))) : Verdict.Unusable,
        StoredPassword.Argon2 argon => Of(CryptographicOperations.FixedTimeEquals(argon.Hash.Compute(password), argon.Hash.Hash)),
        StoredPassword.Digest digest => Of(CryptographicOperations.FixedTimeEquals(Digest(digest, password), digest.Hash)),
        StoredPassword.Pbkdf2 pbkdf => Of(CryptographicOperations.FixedTimeEquals(
            Rfc2898DeriveBytes.Pbkdf2(password, pbkdf.Salt, pbkdf.Rounds, HashAlgorithmName.SHA1, pbkdf.Hash.Length), pbkdf.Hash)),
        StoredPassword.Scram scram => Of(CryptographicOperations.FixedTimeEquals(
            ScramMath.KeysOf(scram.Keys.Hash, password, scram.Keys.Salt.Span, scram.Keys.Iterations).StoredKey.Span, scram.Keys.StoredKey.Span)),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static Verdict Of(bool equal) => equal ? Verdict.Match : Verdict.Mismatch;

    // By way of a hash, so that not even the length of a clear-text password shows in the time.
    private static bool FixedEquals(byte[] left, byte[] right) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(left), SHA256.HashData(right));

    private static byte[] Digest(StoredPassword.Digest stored, byte[] password)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(stored.Algorithm);
        hash.AppendData(password);
        hash.AppendData(stored.Salt);
        return hash.GetHashAndReset();
    }
}
