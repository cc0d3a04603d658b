using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Posthorn.Directory.Passwords;
using Posthorn.Directory.Sasl;

namespace Posthorn.Directory.Tests.Sasl;

public sealed class SaslTests
{
    private const string Users = "ann:{PLAIN}pencil\nbob:{PLAIN}x\n";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static async Task<SaslResult> RunAsync(World world, string mechanism, params string?[] responses)
    {
        SaslExchange exchange = SaslExchange.Create(mechanism, world.Directory, World.Secure)!;
        SaslResult result = await exchange.StartAsync(responses[0] is { } initial ? Encoding.UTF8.GetBytes(initial) : null, Cancel);
        foreach (string? response in responses.Skip(1))
        {
            Assert.IsType<SaslResult.Challenge>(result);
            result = await exchange.StepAsync(Encoding.UTF8.GetBytes(response!), Cancel);
        }
        return result;
    }

    private static string Text(SaslResult result) => Encoding.UTF8.GetString(Assert.IsType<SaslResult.Challenge>(result).Data.Span);

    [Theory]
    [InlineData("\0ann\0pencil", "ok")]
    [InlineData("\0ANN@example.org\0pencil", "ok")]
    [InlineData("ann\0ann\0pencil", "ok")]
    [InlineData("ann@example.org\0ann\0pencil", "ok")]
    [InlineData("bob\0ann\0pencil", "OtherIdentity")]
    [InlineData("nobody\0ann\0pencil", "OtherIdentity")]
    [InlineData("\0ann\0wrong", "WrongPassword")]
    [InlineData("\0carl\0pencil", "UnknownUser")]
    [InlineData("", "bad")]
    [InlineData("ann", "bad")]
    [InlineData("ann\0pencil", "bad")]
    [InlineData("\0\0pencil", "bad")]
    [InlineData("\0ann\0", "bad")]
    [InlineData("\0ann\0pencil\0", "bad")]
    public async Task Plain(string response, string expected)
    {
        using World world = new(Users);
        SaslResult result = await RunAsync(world, "PLAIN", response);
        Assert.Equal(expected, Name(result));
        Assert.Equal(expected, Name(await RunAsync(world, "plain", null, response)));
    }

    private static string Name(SaslResult result) => result switch
    {
        SaslResult.Success => "ok",
        SaslResult.Malformed => "bad",
        SaslResult.Failure { Outcome: AuthOutcome.Denied denied } => denied.Kind.ToString(),
        _ => result.ToString(),
    };

    [Fact]
    public async Task Login_prompts_as_clients_expect_and_takes_an_initial_response()
    {
        using World world = new(Users);
        Assert.Equal("Username:", Text(await RunAsync(world, "LOGIN", [null])));
        Assert.Equal("Password:", Text(await RunAsync(world, "LOGIN", null, "ann")));
        Assert.Equal("ok", Name(await RunAsync(world, "LOGIN", null, "ann", "pencil")));
        Assert.Equal("ok", Name(await RunAsync(world, "LOGIN", "Ann", "pencil")));
        Assert.Equal("WrongPassword", Name(await RunAsync(world, "LOGIN", "ann", "x")));
        Assert.Equal("bad", Name(await RunAsync(world, "LOGIN", null, "")));
        Assert.Equal("bad", Name(await RunAsync(world, "LOGIN", "ann", "")));
    }

    [Theory]
    [InlineData(ScramHash.Sha256, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ==", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")]
    [InlineData(ScramHash.Sha1, "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")]
    public void Scram_speaks_the_examples_of_its_rfcs(ScramHash hash, string serverNonce, string salt, string clientFirst, string serverFirst, string clientFinal, string serverFinal)
    {
        using World world = new("user:{PLAIN}x\n");
        AuthOutcome success = new AuthOutcome.Success(world.Directory.FindLogin("user")!, PasswordForm.SaslPrep);
        ScramKeys keys = ScramMath.KeysOf(hash, "pencil"u8, Convert.FromBase64String(salt), 4096);

        ScramMechanism mechanism = new(hash, serverNonce);
        Assert.Equal(new SaslStep.NeedKeys("user", "", hash), mechanism.Step(Encoding.UTF8.GetBytes(clientFirst)));
        Assert.Equal(serverFirst, Said(mechanism.Supply(new(keys, success))));
        Assert.Equal(serverFinal, Said(mechanism.Step(Encoding.UTF8.GetBytes(clientFinal))));
        Assert.Equal(new SaslStep.Done(success), mechanism.Step([]));
        Assert.IsType<SaslStep.Malformed>(mechanism.Step([]));
    }

    private static string Said(SaslStep step) => Encoding.UTF8.GetString(Assert.IsType<SaslStep.Challenge>(step).Data.Span);

    [Theory]
    [InlineData("SCRAM-SHA-256", "n,,", "ann", "pencil", "ok")]
    [InlineData("SCRAM-SHA-256", "y,,", "ann@example.org", "pencil", "ok")]
    [InlineData("SCRAM-SHA-256", "n,a=ann@example.org,", "ann", "pencil", "ok")]
    [InlineData("SCRAM-SHA-256", "n,a=bob,", "ann", "pencil", "OtherIdentity")]
    [InlineData("SCRAM-SHA-256", "n,,", "ann", "Pencil", "WrongPassword")]
    [InlineData("SCRAM-SHA-256", "n,,", "nobody", "pencil", "UnknownUser")]
    [InlineData("SCRAM-SHA-1", "n,,", "ann", "pencil", "ok")]
    public async Task Scram_with_a_client(string mechanism, string gs2, string user, string password, string expected)
    {
        using World world = new(Users);
        world.Options = world.Options with { Mechanisms = ["SCRAM-SHA-1", "SCRAM-SHA-256"] };
        ScramHash hash = mechanism == "SCRAM-SHA-1" ? ScramHash.Sha1 : ScramHash.Sha256;
        SaslExchange exchange = SaslExchange.Create(mechanism, world.Directory, World.Clear)!;
        string bare = $"n={user},r=clientnonce";
        string first = Text(await exchange.StartAsync(Encoding.UTF8.GetBytes(gs2 + bare), Cancel));
        string[] fields = first.Split(',');
        byte[] salt = Convert.FromBase64String(fields[1][2..]);
        int iterations = int.Parse(fields[2][2..], System.Globalization.CultureInfo.InvariantCulture);
        string withoutProof = $"c={Convert.ToBase64String(Encoding.UTF8.GetBytes(gs2))},{fields[0]}";
        byte[] message = Encoding.UTF8.GetBytes($"{bare},{first},{withoutProof}");

        HashAlgorithmName algorithm = hash == ScramHash.Sha1 ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256;
        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, iterations, algorithm, hash == ScramHash.Sha1 ? 20 : 32);
        byte[] clientKey = CryptographicOperations.HmacData(algorithm, salted, "Client Key"u8.ToArray());
        byte[] signature = CryptographicOperations.HmacData(algorithm, CryptographicOperations.HashData(algorithm, clientKey), message);
        byte[] proof = [.. clientKey.Zip(signature, static (a, b) => (byte)(a ^ b))];

        SaslResult result = await exchange.StepAsync(Encoding.UTF8.GetBytes($"{withoutProof},p={Convert.ToBase64String(proof)}"), Cancel);
        if (result is SaslResult.Challenge)
        {
            byte[] server = CryptographicOperations.HmacData(algorithm, CryptographicOperations.HmacData(algorithm, salted, "Server Key"u8.ToArray()), message);
            Assert.Equal("v=" + Convert.ToBase64String(server), Text(result));
            result = await exchange.StepAsync(ReadOnlyMemory<byte>.Empty, Cancel);
        }
        Assert.Equal(expected, Name(result));
    }

    [Theory]
    [InlineData("")]
    [InlineData("n")]
    [InlineData("n,,")]
    [InlineData("p=tls-exporter,,n=ann,r=x")]
    [InlineData("x,,n=ann,r=x")]
    [InlineData("n,b=x,n=ann,r=x")]
    [InlineData("n,,m=ext,n=ann,r=x")]
    [InlineData("n,,n=,r=x")]
    [InlineData("n,,n=a=b,r=x")]
    [InlineData("n,,n=ann,r=")]
    [InlineData("n,,n=ann,r=a b")]
    [InlineData("n,,r=x,n=ann")]
    public async Task Scram_refuses_a_broken_first_message(string message)
    {
        using World world = new(Users);
        Assert.IsType<SaslResult.Malformed>(await RunAsync(world, "SCRAM-SHA-256", message));
    }

    [Theory]
    [InlineData("")]
    [InlineData("c=biws,r=wrong,p=AAAA")]
    [InlineData("c=eSws,r=$,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")]
    [InlineData("c=biws,r=$")]
    [InlineData("c=biws,r=$,p=")]
    [InlineData("c=biws,r=$,p=AAAA")]
    [InlineData("c=biws,r=$,p=!!!!")]
    public async Task Scram_refuses_a_broken_final_message(string message)
    {
        using World world = new(Users);
        SaslExchange exchange = SaslExchange.Create("SCRAM-SHA-256", world.Directory, World.Secure)!;
        string nonce = Text(await exchange.StartAsync("n,,n=ann,r=x"u8.ToArray(), Cancel)).Split(',')[0][2..];
        Assert.IsType<SaslResult.Malformed>(await exchange.StepAsync(Encoding.UTF8.GetBytes(message.Replace("$", nonce, StringComparison.Ordinal)), Cancel));
    }

    [Fact]
    public async Task Scram_shows_the_same_salt_for_a_name_whether_it_exists_or_not()
    {
        using World world = new(Users);
        foreach (string name in (string[])["ann", "nobody"])
        {
            string one = Text(await RunAsync(world, "SCRAM-SHA-256", $"n,,n={name},r=x")), two = Text(await RunAsync(world, "SCRAM-SHA-256", $"n,,n={name},r=x"));
            Assert.Equal(one.Split(',')[1..], two.Split(',')[1..]);
            Assert.NotEqual(one, two);
        }
    }

    [Fact]
    public void Mechanisms_depend_on_security_and_on_what_the_accounts_can()
    {
        using World world = new(Users);
        Assert.Equal(["SCRAM-SHA-256", "PLAIN", "LOGIN"], world.Directory.MechanismsFor(World.Secure));
        Assert.Equal(["SCRAM-SHA-256"], world.Directory.MechanismsFor(World.Clear));
        Assert.Null(SaslExchange.Create("PLAIN", world.Directory, World.Clear));
        Assert.Null(SaslExchange.Create("SCRAM-SHA-1", world.Directory, World.Secure));
        Assert.Null(SaslExchange.Create("EXTERNAL", world.Directory, World.Secure));
        world.Write(world.Users, Users + "carl:$1$saltsalt$tTWg0JeO/sYmHvtKmZE8c.\n");
        world.SecondPasses();
        Assert.Equal(["PLAIN", "LOGIN"], world.Directory.MechanismsFor(World.Secure));
        Assert.Empty(world.Directory.MechanismsFor(World.Clear));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("=", "")]
    [InlineData("YW5u", "ann")]
    [InlineData("YQ==", "a")]
    [InlineData("YQ", null)]
    [InlineData("YW5 u", null)]
    [InlineData("YW5u====", null)]
    [InlineData("***", null)]
    public void Responses_decode_strictly(string line, string? expected)
    {
        Assert.Equal(expected is not null, SaslBase64.TryDecode(Encoding.ASCII.GetBytes(line), out byte[] response));
        Assert.Equal(expected ?? "", Encoding.ASCII.GetString(response));
    }

    [Fact]
    public void No_mechanism_throws_whatever_it_is_sent() =>
        Gen.Select(Gen.Int[0, 2], Gen.Byte.Array[0, 40].Array[1, 4]).Sample(static (kind, responses) =>
        {
            SaslMechanism mechanism = kind switch { 0 => new PlainMechanism(), 1 => new LoginMechanism(), _ => new ScramMechanism(ScramHash.Sha256) };
            foreach (byte[] response in responses) Assert.NotNull(mechanism.Step(response));
        });
}
