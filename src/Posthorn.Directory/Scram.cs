
namespace Posthorn.Directory;

/// <summary>The hash of a SCRAM mechanism.</summary>
public enum ScramHash
{
    /// <summary>SCRAM-SHA-1 (RFC 5802).</summary>
    Sha1,
    /// <summary>SCRAM-SHA-256 (RFC 7677).</summary>
    Sha256,
}

/// <summary>What a server keeps for SCRAM (RFC 5802 section 3): enough to check a proof, not to make one.</summary>
public sealed record ScramKeys(ScramHash Hash, int Iterations, ReadOnlyMemory<byte> Salt, ReadOnlyMemory<byte> StoredKey, ReadOnlyMemory<byte> ServerKey)
{
    public override string ToString() => $"SCRAM keys ({Hash})";
}

/// <summary>A SCRAM login begins.</summary>
public sealed record ScramRequest(string Login, ScramHash Hash, LoginContext Context)
{
    /// <summary>The SASL authorization identity: empty, or another spelling of the same account.</summary>
    public string AuthorizeAs { get; init; } = "";
}

/// <summary>Keys for a SCRAM login, and what it comes to if the client's proof fits them. Keys for nobody come with a denial.</summary>
public sealed record ScramLookup(ScramKeys Keys, AuthOutcome IfProven)
{
    /// <summary>Computes the keys where only a password is stored; null when they are there. That takes a while, which must not show before the client has sent its proof: nobody else's name would take it.</summary>
    public Func<ScramKeys>? Derive { get; init; }
}
