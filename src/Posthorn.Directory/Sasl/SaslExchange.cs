using Posthorn.Core;

namespace Posthorn.Directory.Sasl;

/// <summary>What a protocol does next in an authentication.</summary>
public abstract record SaslResult
{
    private SaslResult() { }

    /// <summary>Send this (base64 in all mail protocols) and bring the client's response to <see cref="SaslExchange.StepAsync"/>.</summary>
    /// <param name="IsLast">The response will be empty: where the protocol has room in its success reply, it steps with an empty response and sends the data there (RFC 4422 section 3.6).</param>
    public sealed record Challenge(ReadOnlyMemory<byte> Data, bool IsLast = false) : SaslResult;

    /// <summary>The client is this account.</summary>
    public sealed record Success(MailAccount Account) : SaslResult;

    /// <summary>Denied (535 5.7.8, <c>NO [AUTHENTICATIONFAILED]</c>) or temporary (454 4.7.0, <c>NO [UNAVAILABLE]</c>).</summary>
    public sealed record Failure(AuthOutcome Outcome) : SaslResult;

    /// <summary>The response is not what the mechanism's grammar says (501 5.5.2, BAD).</summary>
    public sealed record Malformed(string Text) : SaslResult;
}

/// <summary>One authentication: a mechanism and the directory that it asks (RFC 4422). Ends with anything but a challenge.</summary>
public sealed class SaslExchange
{
    private readonly SaslMechanism _mechanism;
    private readonly IDirectory _directory;
    private readonly LoginContext _context;
    private bool _over;

    private SaslExchange(string name, SaslMechanism mechanism, IDirectory directory, LoginContext context) =>
        (Name, _mechanism, _directory, _context) = (name, mechanism, directory, context);

    /// <summary>The mechanism's registered name.</summary>
    public string Name { get; }

    /// <summary>The name that the client gave, for the log; null until it has.</summary>
    public string? Login { get; private set; }

    /// <summary>Begins an exchange; null when the mechanism is not offered to this client now.</summary>
    public static SaslExchange? Create(string name, IDirectory directory, LoginContext context)
    {
        name = name.ToUpperInvariant();
        if (!directory.MechanismsFor(context).Contains(name, StringComparer.OrdinalIgnoreCase)) return null;
        SaslMechanism? mechanism = name switch
        {
            "PLAIN" => new PlainMechanism(),
            "LOGIN" => new LoginMechanism(),
            _ => ScramHashOf(name) is { } hash ? new ScramMechanism(hash) : null,
        };
        return mechanism is null ? null : new(name, mechanism, directory, context);
    }

    /// <summary>True for the mechanisms that exist here, offered or not.</summary>
    public static bool IsKnown(string name) =>
        name.Equals("PLAIN", StringComparison.OrdinalIgnoreCase) || name.Equals("LOGIN", StringComparison.OrdinalIgnoreCase) || ScramHashOf(name) is not null;

    /// <summary>The first step.</summary>
    /// <param name="initial">The initial response, decoded; null when the client sent none (an empty one is something else).</param>
    /// <param name="cancel">Ends the waiting for a password check.</param>
    public async ValueTask<SaslResult> StartAsync(byte[]? initial, CancellationToken cancel) =>
        initial is not null ? await StepAsync(initial, cancel) : new SaslResult.Challenge(_mechanism.FirstChallenge);

    /// <summary>Takes the client's response to the last challenge.</summary>
    public async ValueTask<SaslResult> StepAsync(ReadOnlyMemory<byte> response, CancellationToken cancel)
    {
        if (_over) throw new InvalidOperationException("The exchange is over.");
        SaslStep step = _mechanism.Step(response.Span);
        if (step is SaslStep.NeedKeys keys)
        {
            Login = keys.Login;
            step = _mechanism.Supply(_directory.FindScramKeys(new(keys.Login, keys.Hash, _context) { AuthorizeAs = keys.AuthorizeAs }));
        }
        if (step is SaslStep.CheckPassword check)
        {
            Login = check.Login;
            step = new SaslStep.Done(await _directory.AuthenticateAsync(new(check.Login, check.Password, _context) { AuthorizeAs = check.AuthorizeAs }, cancel));
        }
        if (step is SaslStep.Challenge challenge) return new SaslResult.Challenge(challenge.Data, challenge.IsLast);
        _over = true;
        return step switch
        {
            SaslStep.Done { Outcome: AuthOutcome.Success success } => new SaslResult.Success(success.Account),
            SaslStep.Done done => new SaslResult.Failure(done.Outcome),
            SaslStep.Malformed malformed => new SaslResult.Malformed(malformed.Text),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    internal static ScramHash? ScramHashOf(string name) => name.ToUpperInvariant() switch
    {
        "SCRAM-SHA-1" => ScramHash.Sha1,
        "SCRAM-SHA-256" => ScramHash.Sha256,
        _ => null,
    };
}
