using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Directory.Sasl;

namespace Posthorn.Directory.Tests;

/// <summary>Failed logins are counted by address, over all protocols.</summary>
public sealed class FailedLoginTests : IDisposable
{
    private readonly World _world = new("ann:{PLAIN}secret\nmallory:{PLAIN}mine\n");

    public FailedLoginTests() => _world.Options = _world.Options with { FailureRate = new(3, TimeSpan.FromMinutes(10)), AuthTrustedNetworks = [IPNetwork.Parse("10.0.0.0/8")] };

    public void Dispose() => _world.Dispose();

    private static LoginContext From(string address, string protocol = "imap") => new(IPAddress.Parse(address), true, protocol);

    [Fact]
    public async Task Too_many_failures_shut_an_address_out_until_its_time_has_passed()
    {
        Assert.IsType<AuthOutcome.Denied>(await _world.LoginAsync("ann", "wrong", From("192.0.2.7")));
        Assert.IsType<AuthOutcome.Denied>(await _world.LoginAsync("nobody", "wrong", From("192.0.2.7", "pop3")));
        Assert.IsType<AuthOutcome.Denied>(await _world.LoginAsync("ann", "wrong", From("192.0.2.7", "submission")));
        Assert.IsType<AuthOutcome.Temporary>(await _world.LoginAsync("ann", "secret", From("192.0.2.7")));
        Assert.IsType<AuthOutcome.Success>(await _world.LoginAsync("ann", "secret", From("192.0.2.8")));
        _world.Time.Advance(TimeSpan.FromMinutes(21));
        Assert.IsType<AuthOutcome.Success>(await _world.LoginAsync("ann", "secret", From("192.0.2.7")));
    }

    [Fact]
    public async Task A_login_that_succeeds_forgives_the_failures()
    {
        for (int i = 0; i < 10; i++)
        {
            Assert.IsType<AuthOutcome.Denied>(await _world.LoginAsync("ann", "old password", From("192.0.2.7")));
            Assert.IsType<AuthOutcome.Denied>(await _world.LoginAsync("ann", "old password", From("192.0.2.7")));
            Assert.IsType<AuthOutcome.Success>(await _world.LoginAsync("ann", "secret", From("192.0.2.7")));
        }
    }

    [Fact]
    public async Task A_login_forgives_its_own_failures_and_not_guesses_at_others()
    {
        Assert.IsType<AuthOutcome.Denied>(await _world.LoginAsync("ann", "guess 1", From("192.0.2.7")));
        Assert.IsType<AuthOutcome.Denied>(await _world.LoginAsync("mallory", "typo", From("192.0.2.7")));
        Assert.IsType<AuthOutcome.Success>(await _world.LoginAsync("mallory@example.org", "mine", From("192.0.2.7")));
        Assert.IsType<AuthOutcome.Denied>(await _world.LoginAsync("ann", "guess 2", From("192.0.2.7")));
        Assert.IsType<AuthOutcome.Success>(await _world.LoginAsync("mallory", "mine", From("192.0.2.7")));
        Assert.IsType<AuthOutcome.Denied>(await _world.LoginAsync("ann", "guess 3", From("192.0.2.7")));
        Assert.IsType<AuthOutcome.Temporary>(await _world.LoginAsync("mallory", "mine", From("192.0.2.7")));
    }

    // All are let in before the first has failed: hashes are slow, and connections many.
    [Fact]
    public void Of_guesses_at_once_no_more_are_answered_than_of_those_one_after_the_other()
    {
        FailedLogins failures = new(_world.Time);
        LoginContext context = From("192.0.2.7");
        AuthOutcome wrong = new AuthOutcome.Denied(DenialKind.WrongPassword), right = new AuthOutcome.Success(_world.Directory.FindLogin("ann")!, PasswordForm.AsSent);
        for (int i = 0; i < 8; i++) Assert.Null(failures.Shut(context, _world.Options));
        AuthOutcome[] told = [.. Enumerable.Range(0, 8).Select(i => failures.Ended(context, null, i == 7 ? right : wrong, _world.Options))];
        Assert.Equal(3, told.Count(outcome => outcome is AuthOutcome.Denied));
        Assert.Equal(5, told.Count(outcome => outcome is AuthOutcome.Temporary)); // the right guess among them
    }

    [Fact]
    public async Task Scram_exchanges_at_once_are_answered_no_oftener()
    {
        _world.Options = _world.Options with { Mechanisms = ["SCRAM-SHA-256", "PLAIN"] };
        List<(SaslExchange Exchange, byte[] Proof)> begun = [];
        for (int i = 0; i < 8; i++)
        {
            SaslExchange exchange = SaslExchange.Create("SCRAM-SHA-256", _world.Directory, From("192.0.2.7"))!;
            SaslClient client = SaslClient.Choose(["SCRAM-SHA-256"], ["SCRAM-SHA-256"], "ann", i < 6 ? $"guess {i}" : "secret")!;
            begun.Add((exchange, client.Respond(((SaslResult.Challenge)await exchange.StartAsync(client.Initial(), default)).Data.Span)!));
        }
        List<SaslResult> results = [];
        foreach ((SaslExchange exchange, byte[] proof) in begun) results.Add(await exchange.StepAsync(proof, default));
        Assert.Equal(3, results.Count(result => result is SaslResult.Failure { Outcome: AuthOutcome.Denied }));
        Assert.Equal(5, results.Count(result => result is SaslResult.Failure { Outcome: AuthOutcome.Temporary })); // the right proof among them
    }

    [Fact]
    public async Task Networks_of_our_own_and_unix_sockets_are_not_counted()
    {
        foreach (LoginContext context in (LoginContext[])[From("10.1.2.3"), new(null, true, "lmtp")])
        {
            for (int i = 0; i < 10; i++) await _world.LoginAsync("ann", "wrong", context);
            Assert.IsType<AuthOutcome.Success>(await _world.LoginAsync("ann", "secret", context));
        }
    }

    [Fact]
    public async Task Scram_is_counted_too()
    {
        _world.Options = _world.Options with { Mechanisms = ["SCRAM-SHA-256", "PLAIN"] };
        for (int i = 0; i < 3; i++) Assert.IsType<AuthOutcome.Denied>(await ScramAsync("wrong"));
        Assert.IsType<AuthOutcome.Temporary>(await ScramAsync("secret"));
        Assert.IsType<AuthOutcome.Temporary>(await _world.LoginAsync("ann", "secret", From("192.0.2.7")));
    }

    // Whoever has been told the salt of a name may have wanted no more.
    [Theory]
    [InlineData("*")]
    [InlineData("no base64")]
    [InlineData("bm9uc2Vuc2U=")]
    [InlineData(null)]
    public async Task A_scram_exchange_that_ends_before_its_proof_is_counted(string? says)
    {
        _world.Options = _world.Options with { Mechanisms = ["SCRAM-SHA-256", "PLAIN"] };
        for (int i = 0; i < 3; i++)
        {
            SaslExchange exchange = SaslExchange.Create("SCRAM-SHA-256", _world.Directory, From("192.0.2.7"))!;
            AskSasl ask = (_, _) => ValueTask.FromResult<(SaslInterruption?, ReadOnlyMemory<byte>)>((says is null ? SaslInterruption.Ended : null, System.Text.Encoding.ASCII.GetBytes(says ?? "")));
            SaslResult result = await exchange.RunAsync(System.Text.Encoding.ASCII.GetBytes($"n,,n=name{i},r=x"), ask, default);
            Assert.True(result is SaslResult.Interrupted or SaslResult.Malformed);
            exchange.GiveUp(); // once is enough
        }
        Assert.IsType<AuthOutcome.Temporary>(await _world.LoginAsync("ann", "secret", From("192.0.2.7")));
    }

    [Fact]
    public async Task What_ends_before_anything_was_told_or_behind_the_proof_is_not_counted()
    {
        _world.Options = _world.Options with { Mechanisms = ["SCRAM-SHA-256", "PLAIN"] };
        for (int i = 0; i < 5; i++)
        {
            SaslExchange proven = SaslExchange.Create("SCRAM-SHA-256", _world.Directory, From("192.0.2.7"))!;
            SaslClient client = SaslClient.Choose(["SCRAM-SHA-256"], ["SCRAM-SHA-256"], "ann", "secret")!;
            SaslResult result = await proven.StartAsync(client.Initial(), default);
            Assert.True(await proven.StepAsync(client.Respond(((SaslResult.Challenge)result).Data.Span)!, default) is SaslResult.Challenge { IsLast: true });
            proven.GiveUp();
            SaslExchange untold = SaslExchange.Create("SCRAM-SHA-256", _world.Directory, From("192.0.2.7"))!;
            await untold.StartAsync(null, default);
            untold.GiveUp();
        }
        Assert.IsType<AuthOutcome.Success>(await _world.LoginAsync("ann", "secret", From("192.0.2.7")));
    }

    [Fact]
    public async Task Networks_of_IPv6_count_as_one()
    {
        for (int i = 0; i < 3; i++) await _world.LoginAsync("ann", "wrong", From($"2001:db8::{i}"));
        Assert.IsType<AuthOutcome.Temporary>(await _world.LoginAsync("ann", "secret", From("2001:db8::ffff")));
        Assert.IsType<AuthOutcome.Success>(await _world.LoginAsync("ann", "secret", From("2001:db8:0:1::1")));
    }

    // The SCRAM client with a proof of that password.
    private async Task<AuthOutcome> ScramAsync(string password)
    {
        SaslExchange exchange = SaslExchange.Create("SCRAM-SHA-256", _world.Directory, From("192.0.2.7"))!;
        SaslClient client = SaslClient.Choose(["SCRAM-SHA-256"], ["SCRAM-SHA-256"], "ann", password)!;
        SaslResult result = await exchange.StartAsync(client.Initial(), default);
        while (result is SaslResult.Challenge challenge) result = await exchange.StepAsync(client.Respond(challenge.Data.Span)!, default);
        return result is SaslResult.Success success ? new AuthOutcome.Success(success.Account, PasswordForm.SaslPrep) : Assert.IsType<SaslResult.Failure>(result).Outcome;
    }
}
