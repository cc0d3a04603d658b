using System.Text;
using Posthorn.Directory.Sasl;

namespace Posthorn.Directory.Tests.Sasl;

/// <summary>SCRAM as a client: the examples of the RFCs.</summary>
public sealed class ScramClientTests
{
    /// <summary>RFC 5802 section 5 and RFC 7677 section 3.</summary>
    [Theory]
    [InlineData(ScramHash.Sha1, "fyko+d2lbbFgONRv9qkxdawL", "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096", "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")]
    [InlineData(ScramHash.Sha256, "rOprNGfwEbeRWgbNEkqO", "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")]
    public void The_examples_of_the_rfcs(ScramHash hash, string nonce, string serverFirst, string final, string serverFinal)
    {
        ScramClient client = new(hash, "user", "pencil", nonce);
        Assert.Equal($"n,,n=user,r={nonce}", Encoding.ASCII.GetString(client.Initial()));
        Assert.Equal(final, Encoding.ASCII.GetString(client.Respond(Encoding.ASCII.GetBytes(serverFirst))!));
        Assert.False(client.MaySucceed);
        Assert.Empty(client.Respond(Encoding.ASCII.GetBytes(serverFinal))!);
        Assert.True(client.MaySucceed);
    }

    [Theory]
    [InlineData("r=another,s=QSXCR+Q6sek8bf92,i=4096")]
    [InlineData("r=abcdef,s=???,i=4096")]
    [InlineData("r=abcdef,s=QSXCR+Q6sek8bf92,i=0")]
    [InlineData("r=abcdef,s=QSXCR+Q6sek8bf92,i=2000000000")]
    [InlineData("m=x")]
    public void What_no_server_would_say_ends_it(string serverFirst) => Assert.Null(new ScramClient(ScramHash.Sha1, "user", "pencil", "abc").Respond(Encoding.ASCII.GetBytes(serverFirst)));

    [Fact]
    public void A_wrong_signature_ends_it()
    {
        ScramClient client = new(ScramHash.Sha1, "u=s,er", "pencil", "abc");
        Assert.Equal("n,,n=u=3Ds=2Cer,r=abc", Encoding.ASCII.GetString(client.Initial()));
        Assert.NotNull(client.Respond("r=abcdef,s=QSXCR+Q6sek8bf92,i=4096"u8));
        Assert.Null(client.Respond("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="u8));
        Assert.False(client.MaySucceed);
    }

    [Fact]
    public void The_best_that_is_wanted_and_offered_is_chosen()
    {
        Assert.Equal("SCRAM-SHA-256", SaslClient.Choose(SaslClient.Default, ["LOGIN", "PLAIN", "SCRAM-SHA-256"], "u", "p")!.Name);
        Assert.Equal("PLAIN", SaslClient.Choose(["PLAIN"], ["LOGIN", "PLAIN", "SCRAM-SHA-256"], "u", "p")!.Name);
        Assert.Null(SaslClient.Choose(SaslClient.Default, ["XOAUTH2"], "u", "p"));
    }
}
