using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Posthorn.Directory.Passwords;

namespace Posthorn.Directory.Sasl;

/// <summary>SCRAM as a client, without channel binding (RFC 5802 section 3, RFC 7677): the password does not travel, and the server proves that it knows it.</summary>
internal sealed class ScramClient : SaslClient
{
    /// <summary>A server that asks for more iterations than this wants our time.</summary>
    private const int MaxIterations = 10_000_000;

    private readonly ScramHash _hash;
    private readonly string _user, _password, _nonce;
    private byte[]? _signature;
    private bool _proven, _sent;

    public ScramClient(ScramHash hash, string user, string password) : this(hash, user, password, Convert.ToBase64String(RandomNumberGenerator.GetBytes(18))) { }

    /// <summary>For the examples of the RFCs, whose nonce is fixed.</summary>
    internal ScramClient(ScramHash hash, string user, string password, string nonce) =>
        (_hash, _user, _password, _nonce) = (hash, user.Replace("=", "=3D", StringComparison.Ordinal).Replace(",", "=2C", StringComparison.Ordinal), password, nonce);

    public override string Name => _hash == ScramHash.Sha1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
    public override bool MaySucceed => _proven;
    private string Bare => $"n={_user},r={_nonce}";

    public override byte[] Initial() => Encoding.UTF8.GetBytes("n,," + Bare);

    public override byte[]? Respond(ReadOnlySpan<byte> challenge)
    {
        string message = Encoding.UTF8.GetString(challenge);
        if (_sent) return Verify(message) ? [] : null;
        _sent = true;
        string[] fields = message.Split(',');
        if (fields.Length < 3 || !fields[0].StartsWith("r=" + _nonce, StringComparison.Ordinal) || !fields[1].StartsWith("s=", StringComparison.Ordinal) || !fields[2].StartsWith("i=", StringComparison.Ordinal)) return null;
        if (!int.TryParse(fields[2].AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out int iterations) || iterations is < 1 or > MaxIterations) return null;
        byte[] salt;
        try { salt = Convert.FromBase64String(fields[1][2..]); }
        catch (FormatException) { return null; }
        string withoutProof = "c=biws," + fields[0];
        byte[] authMessage = Encoding.UTF8.GetBytes($"{Bare},{message},{withoutProof}");
        (byte[] proof, _signature) = ScramMath.Prove(_hash, Encoding.UTF8.GetBytes(PasswordForms.SaslPrep(_password) ?? _password), salt, iterations, authMessage);
        return Encoding.UTF8.GetBytes($"{withoutProof},p={Convert.ToBase64String(proof)}");
    }

    private bool Verify(string message)
    {
        if (!message.StartsWith("v=", StringComparison.Ordinal) || _signature is null) return false;
        byte[] said = new byte[_signature.Length];
        string encoded = message.Split(',')[0][2..];
        return _proven = Convert.TryFromBase64String(encoded, said, out int length) && length == said.Length && CryptographicOperations.FixedTimeEquals(said, _signature);
    }
}
