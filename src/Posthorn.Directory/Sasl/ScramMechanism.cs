using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;
using Posthorn.Directory.Passwords;

namespace Posthorn.Directory.Sasl;

/// <summary>SCRAM-SHA-1 and SCRAM-SHA-256 without channel binding (RFC 5802 sections 5 and 7, RFC 7677).</summary>
/// <remarks><c>client-first-message = gs2-header client-first-message-bare</c>,
/// <c>client-final-message = channel-binding "," nonce ["," extensions] "," proof</c>.
/// The server's signature goes out as a challenge which the client answers with nothing, since SMTP, IMAP and POP3 have no room for it in the success reply.</remarks>
internal sealed class ScramMechanism : SaslMechanism
{
    // Enough for any name and nonce; nothing in the grammar bounds extensions.
    private const int MaxMessage = 4096;

    private readonly ScramHash _hash;
    private readonly string _serverNonce;
    private State _state;
    private string _gs2 = "", _bare = "", _nonce = "", _serverFirst = "";
    private ScramLookup? _lookup;

    public ScramMechanism(ScramHash hash) : this(hash, Convert.ToBase64String(RandomNumberGenerator.GetBytes(18))) { }

    /// <summary>For the examples of the RFCs, whose nonce is fixed.</summary>
    internal ScramMechanism(ScramHash hash, string serverNonce) => (_hash, _serverNonce) = (hash, serverNonce);

    private enum State { First, Keys, Final, Signature, Over }

    public override SaslStep Step(ReadOnlySpan<byte> response)
    {
        if (response.Length > MaxMessage || !Utf8.IsValid(response)) return Bad("The message is too long or not UTF-8");
        string message = Encoding.UTF8.GetString(response);
        switch (_state)
        {
            case State.First: return First(message);
            case State.Final: return Final(message);
            case State.Signature when message.Length == 0:
                _state = State.Over;
                return new SaslStep.Done(_lookup!.IfProven);
            default: return Bad("Nothing more was expected");
        }
    }

    public override SaslStep Supply(ScramLookup lookup)
    {
        if (_state != State.Keys) throw new InvalidOperationException("No keys were asked for.");
        _lookup = lookup;
        _state = State.Final;
        _serverFirst = $"r={_nonce},s={Convert.ToBase64String(lookup.Keys.Salt.Span)},i={lookup.Keys.Iterations}";
        return new SaslStep.Challenge(Encoding.UTF8.GetBytes(_serverFirst));
    }

    private SaslStep First(string message)
    {
        string[] parts = message.Split(',', 3);
        if (parts.Length < 3) return Bad("Expected a gs2-header");
        // y: the client could bind to the channel but saw no -PLUS mechanism, which is true (RFC 5802 section 6).
        if (parts[0] is not ("n" or "y")) return Bad("Channel binding is not offered");
        string authorize = "";
        if (parts[1].Length > 0 && (!parts[1].StartsWith("a=", StringComparison.Ordinal) || !TryName(parts[1][2..], out authorize))) return Bad("Expected an authzid");
        _gs2 = $"{parts[0]},{parts[1]},";
        _bare = parts[2];

        string[] fields = _bare.Split(',');
        if (fields[0].StartsWith("m=", StringComparison.Ordinal)) return Bad("No mandatory extensions are known");
        if (fields.Length < 2 || !fields[0].StartsWith("n=", StringComparison.Ordinal) || !TryName(fields[0][2..], out string login)) return Bad("Expected a username");
        if (!fields[1].StartsWith("r=", StringComparison.Ordinal) || !IsNonce(fields[1].AsSpan(2))) return Bad("Expected a nonce");
        _nonce = fields[1][2..] + _serverNonce;
        _state = State.Keys;
        return new SaslStep.NeedKeys(login, authorize, _hash);
    }

    private SaslStep Final(string message)
    {
        int at = message.LastIndexOf(",p=", StringComparison.Ordinal);
        if (at < 0) return Bad("Expected a proof");
        string withoutProof = message[..at];
        string[] fields = withoutProof.Split(',');
        if (fields.Length < 2 || fields[0] != "c=" + Convert.ToBase64String(Encoding.UTF8.GetBytes(_gs2))) return Bad("The channel binding is not that of the first message");
        if (fields[1] != "r=" + _nonce) return Bad("The nonce is another");
        byte[] proof = new byte[ScramMath.Size(_hash)];
        ReadOnlySpan<char> encoded = message.AsSpan(at + 3);
        if (!Base64.IsValid(encoded, out int length) || length != proof.Length || !Convert.TryFromBase64Chars(encoded, proof, out _)) return Bad("The proof is not base64 of the right length");

        byte[] authMessage = Encoding.UTF8.GetBytes($"{_bare},{_serverFirst},{withoutProof}");
        ScramKeys keys = _lookup!.Derive?.Invoke() ?? _lookup.Keys;
        bool proven = ScramMath.IsProof(keys, authMessage, proof);
        if (!proven || _lookup.IfProven is not AuthOutcome.Success)
        {
            _state = State.Over;
            return new SaslStep.Done(_lookup.IfProven is AuthOutcome.Success ? new AuthOutcome.Denied(DenialKind.WrongPassword) : _lookup.IfProven);
        }
        _state = State.Signature;
        return new SaslStep.Challenge(Encoding.ASCII.GetBytes("v=" + Convert.ToBase64String(ScramMath.ServerSignature(keys, authMessage))), IsLast: true);
    }

    private SaslStep.Malformed Bad(string text)
    {
        _state = State.Over;
        return new(text);
    }

    // saslname: a comma is =2C, an equals sign =3D, and no other = may stand.
    private static bool TryName(string text, out string name)
    {
        name = text.Replace("=2C", ",", StringComparison.Ordinal).Replace("=3D", "\u0001", StringComparison.Ordinal);
        if (name.Length == 0 || text.Contains('\u0001', StringComparison.Ordinal) || name.Contains('=', StringComparison.Ordinal)) return false;
        name = name.Replace('\u0001', '=');
        return true;
    }

    // printable = %x21-2B / %x2D-7E
    private static bool IsNonce(ReadOnlySpan<char> text) => text.Length > 0 && !text.ContainsAnyExceptInRange('\x21', '\x7E');
}
