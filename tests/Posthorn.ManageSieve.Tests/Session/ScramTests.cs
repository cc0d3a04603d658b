using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Posthorn.Testing;

namespace Posthorn.ManageSieve.Tests.Session;

/// <summary>SCRAM from the client's side (RFC 5802 section 3), with the server's signature in the OK (RFC 5804 section 2.1).</summary>
public sealed class ScramTests
{
    [Theory]
    [InlineData("SCRAM-SHA-1", true)]
    [InlineData("SCRAM-SHA-256", true)]
    [InlineData("SCRAM-SHA-256", false)]
    public async Task The_servers_signature_comes_with_the_OK(string mechanism, bool isRight)
    {
        HashAlgorithmName hash = mechanism == "SCRAM-SHA-1" ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256;
        await using ManageSieveHost host = new();
        await host.GivenAsync("strict network"); // SCRAM needs no TLS
        MemoryChannel client = host.Connect(ReadSplit.Random(7));
        LineReader reader = new(client.AsStream());
        await reader.ToOkAsync();

        const string bare = "n=ann,r=fyko+d2lbbFgONRv9qkxdawL";
        await client.SendAsync(Encoding.ASCII.GetBytes($"AUTHENTICATE \"{mechanism}\" \"{Base64("n,," + bare)}\"\r\n"), default);
        string first = Encoding.UTF8.GetString(Convert.FromBase64String((await reader.NextAsync()).Trim('"')));
        Dictionary<char, string> fields = first.Split(',').ToDictionary(f => f[0], f => f[2..]);
        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(isRight ? "nna" : "wrong", Convert.FromBase64String(fields['s']), int.Parse(fields['i'], CultureInfo.InvariantCulture), hash, hash == HashAlgorithmName.SHA1 ? 20 : 32);
        byte[] clientKey = Hmac(hash, salted, "Client Key");
        string withoutProof = $"c=biws,r={fields['r']}";
        string message = $"{bare},{first},{withoutProof}";
        byte[] signature = Hmac(hash, CryptographicOperations.HashData(hash, clientKey), message);
        byte[] proof = [.. clientKey.Zip(signature, (a, b) => (byte)(a ^ b))];
        await client.SendAsync(Encoding.ASCII.GetBytes($"\"{Base64($"{withoutProof},p={Convert.ToBase64String(proof)}")}\"\r\nLISTSCRIPTS\r\n"), default);

        if (isRight)
        {
            string expected = Base64("v=" + Convert.ToBase64String(Hmac(hash, Hmac(hash, salted, "Server Key"), message)));
            Assert.Equal($"OK (SASL \"{expected}\") \"Logged in\"", await reader.NextAsync());
            Assert.Equal("OK \"0 scripts\"", await reader.NextAsync());
        }
        else
        {
            Assert.Equal("NO \"Wrong name or password\"", await reader.NextAsync());
            Assert.Equal("NO \"Log in first\"", await reader.NextAsync());
        }
        await client.DisposeAsync();
    }

    private static byte[] Hmac(HashAlgorithmName hash, byte[] key, string text) => CryptographicOperations.HmacData(hash, key, Encoding.UTF8.GetBytes(text));

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
