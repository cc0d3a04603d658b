using System.Text;

namespace Posthorn.Directory.Sasl;

/// <summary>One login as a client (RFC 4422): what is said first, and what to each challenge.</summary>
public abstract class SaslClient
{
    /// <summary>Everything that is known here, the best first. XOAUTH2 takes a token where the others take a password, so that it is only used when it is named.</summary>
    public static IReadOnlyList<string> Known { get; } = ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "XOAUTH2"];

    /// <summary>What is used where nobody names mechanisms.</summary>
    public static IReadOnlyList<string> Default { get; } = ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"];

    /// <summary>The server learns nothing from which the password can be had at once: what goes out is worth something only to who knows it already (RFC 5802).</summary>
    public static bool KeepsPassword(string mechanism) => mechanism is "SCRAM-SHA-256" or "SCRAM-SHA-1";

    public abstract string Name { get; }

    /// <summary>The initial response; null when the mechanism waits for a challenge.</summary>
    public abstract byte[]? Initial();

    /// <summary>The answer to a challenge; null when the server did not say what it should have: the exchange is to be cancelled.</summary>
    public abstract byte[]? Respond(ReadOnlySpan<byte> challenge);

    /// <summary>The server may say yes now: it has proved what the mechanism makes it prove.</summary>
    public virtual bool MaySucceed => true;

    /// <summary>The first of the wanted mechanisms that the server offers; null when there is none.</summary>
    public static SaslClient? Choose(IReadOnlyList<string> wanted, IReadOnlyCollection<string> offered, string user, string password)
    {
        foreach (string name in wanted)
        {
            if (!offered.Contains(name)) continue;
            return name switch
            {
                "SCRAM-SHA-256" => new ScramClient(ScramHash.Sha256, user, password),
                "SCRAM-SHA-1" => new ScramClient(ScramHash.Sha1, user, password),
                "PLAIN" => new PlainClient(user, password),
                "LOGIN" => new LoginClient(user, password),
                "XOAUTH2" => new BearerClient(user, password),
                _ => null,
            };
        }
        return null;
    }

    // RFC 4616.
    private sealed class PlainClient(string user, string password) : SaslClient
    {
        public override string Name => "PLAIN";
        public override byte[] Initial() => Encoding.UTF8.GetBytes($"\0{user}\0{password}");
        public override byte[]? Respond(ReadOnlySpan<byte> challenge) => null;
    }

    // Two prompts, whose words differ from server to server.
    private sealed class LoginClient(string user, string password) : SaslClient
    {
        private int _step;
        public override string Name => "LOGIN";
        public override byte[]? Initial() => null;
        public override byte[]? Respond(ReadOnlySpan<byte> challenge) => _step++ switch { 0 => Encoding.UTF8.GetBytes(user), 1 => Encoding.UTF8.GetBytes(password), _ => null };
    }

    // As Google and Microsoft want it: a bearer token; what is wrong comes as a challenge, to be answered with nothing.
    private sealed class BearerClient(string user, string token) : SaslClient
    {
        private bool _told;
        public override string Name => "XOAUTH2";
        public override byte[] Initial() => Encoding.UTF8.GetBytes($"user={user}\u0001auth=Bearer {token}\u0001\u0001");

        public override byte[]? Respond(ReadOnlySpan<byte> challenge)
        {
            if (_told) return null;
            _told = true;
            return [];
        }
    }
}
