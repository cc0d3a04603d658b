namespace Posthorn.Directory.Sasl;

/// <summary>The server's side of one SASL mechanism (RFC 4422 section 3): a state machine without input, output or waiting.</summary>
internal abstract class SaslMechanism
{
    /// <summary>What the server sends when the client gave no initial response.</summary>
    public virtual ReadOnlyMemory<byte> FirstChallenge => ReadOnlyMemory<byte>.Empty;

    /// <summary>Takes the client's next response.</summary>
    public abstract SaslStep Step(ReadOnlySpan<byte> response);

    /// <summary>Takes the keys that <see cref="SaslStep.NeedKeys"/> asked for.</summary>
    public virtual SaslStep Supply(ScramLookup lookup) => throw new InvalidOperationException("This mechanism asks for no keys.");
}

/// <summary>What a mechanism wants next.</summary>
internal abstract record SaslStep
{
    private SaslStep() { }

    /// <summary>Send this and bring the response.</summary>
    /// <param name="IsLast">The client has nothing more to say: where the protocol has room in its success reply, the data can go there (RFC 4422 section 3.6).</param>
    public sealed record Challenge(ReadOnlyMemory<byte> Data, bool IsLast = false) : SaslStep;

    /// <summary>Check this password; it decides.</summary>
    public sealed record CheckPassword(string Login, string AuthorizeAs, ReadOnlyMemory<byte> Password) : SaslStep
    {
        public override string ToString() => nameof(CheckPassword);
    }

    /// <summary>Bring the keys of this user.</summary>
    public sealed record NeedKeys(string Login, string AuthorizeAs, ScramHash Hash) : SaslStep;

    /// <summary>The client has proven itself, or not.</summary>
    public sealed record Done(AuthOutcome Outcome) : SaslStep;

    /// <summary>The response does not follow the mechanism's grammar.</summary>
    public sealed record Malformed(string Text) : SaslStep;
}
