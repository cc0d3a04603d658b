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

    /// <summary>The exchange was broken off before the mechanism came to an end.</summary>
    public sealed record Interrupted(SaslInterruption Why) : SaslResult;
}

/// <summary>Why an exchange was broken off.</summary>
public enum SaslInterruption
{
    /// <summary>The connection ended.</summary>
    Ended,

    /// <summary>A response was too long.</summary>
    TooLong,

    /// <summary>The client gave it up (<c>*</c>).</summary>
    Cancelled,

    /// <summary>A response was not base64.</summary>
    NotBase64,
}

/// <summary>Sends a challenge, in base64, and brings the line that the client says to it, or why there is none.</summary>
public delegate ValueTask<(SaslInterruption? Broken, ReadOnlyMemory<byte> Line)> AskSasl(string challenge, CancellationToken cancel);

/// <summary>One authentication: a mechanism and the directory that it asks (RFC 4422). Ends with anything but a challenge.</summary>
public sealed class SaslExchange
{
    private readonly SaslMechanism _mechanism;
    private readonly IDirectory _directory;
    private readonly LoginContext _context;
    private bool _over;
    private bool _isScram;
    private bool _isProven;

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

    /// <summary>Asks the client until the exchange is over, in protocols where challenges and responses are lines of base64; never ends with a challenge.</summary>
    /// <param name="initial">The initial response, decoded; null when the client sent none.</param>
    /// <param name="askAsync">The protocol's way to ask.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<SaslResult> RunAsync(byte[]? initial, AskSasl askAsync, CancellationToken cancel)
    {
        SaslResult result = await StartAsync(initial, cancel);
        while (result is SaslResult.Challenge challenge)
        {
            (SaslInterruption? broken, ReadOnlyMemory<byte> line) = await askAsync(Convert.ToBase64String(challenge.Data.Span), cancel);
            byte[] response = [];
            if (broken is null && SaslBase64.IsCancel(line.Span)) broken = SaslInterruption.Cancelled;
            else if (broken is null && !SaslBase64.TryDecode(line.Span, out response)) broken = SaslInterruption.NotBase64;
            if (broken is { } why)
            {
                GiveUp();
                return new SaslResult.Interrupted(why);
            }

            result = await StepAsync(response, cancel);
        }

        return result;
    }

    /// <summary>The client has ended the exchange, or the connection is gone. One that has been told the salt of a name counts as a failed login: it may have wanted to know no more.</summary>
    public void GiveUp()
    {
        if (_over) return;
        _over = true;
        CountProbe();
    }

    private void CountProbe()
    {
        if (_isScram && !_isProven) _directory.ScramEnded(_context, Login ?? "", new AuthOutcome.Denied(DenialKind.WrongPassword));
    }

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
            _isScram = true;
            step = _mechanism.Supply(_directory.FindScramKeys(new(keys.Login, keys.Hash, _context) { AuthorizeAs = keys.AuthorizeAs }));
        }
        if (step is SaslStep.CheckPassword check)
        {
            Login = check.Login;
            step = new SaslStep.Done(await _directory.AuthenticateAsync(new(check.Login, check.Password, _context) { AuthorizeAs = check.AuthorizeAs }, cancel));
        }
        // The last challenge says that the proof was right: of many exchanges begun at once no more may hear that than of those begun one after the other.
        if (step is SaslStep.Challenge { IsLast: true } && _directory.ShutOut(_context) is { } shut) step = new SaslStep.Done(shut);
        _isProven |= step is SaslStep.Challenge { IsLast: true };
        if (step is SaslStep.Challenge challenge) return new SaslResult.Challenge(challenge.Data, challenge.IsLast);
        _over = true;
        if (step is SaslStep.Malformed) CountProbe();
        if (_isScram && step is SaslStep.Done ended) step = new SaslStep.Done(_directory.ScramEnded(_context, Login ?? "", ended.Outcome));
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
