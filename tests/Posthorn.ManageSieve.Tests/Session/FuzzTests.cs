using CsCheck;
using Posthorn.Testing;
using Posthorn.Testing.Fuzzing;

namespace Posthorn.ManageSieve.Tests.Session;

/// <summary>Any bytes in each state: the session ends in order, its output is bounded, and how the bytes were split makes no difference.</summary>
public sealed class FuzzTests
{
    private static readonly string[] Corpus =
    [
        "NOOP\r\n", "NOOP \"x\"\r\n", "NOOP {3+}\r\nabc\r\n", "CAPABILITY\r\n", "AUTHENTICATE \"PLAIN\" \"AGFubgBubmE=\"\r\n", "AUTHENTICATE \"PLAIN\"\r\n\"AGFubgBubmE=\"\r\n", "AUTHENTICATE \"LOGIN\"\r\n\"YW5u\"\r\n{4+}\r\nbm5h\r\n",
        "AUTHENTICATE \"PLAIN\"\r\n\"*\"\r\n", "AUTHENTICATE \"PLAIN\" {12+}\r\nAGFubgBubmE=\r\n", "STARTTLS\r\n", "HAVESPACE \"a\" 100\r\n", "HAVESPACE \"a\" 4294967295\r\n", "PUTSCRIPT \"a\" {5+}\r\nkeep;\r\n", "PUTSCRIPT {1+}\r\nb {8+}\r\ndiscard;\r\n",
        "PUTSCRIPT \"c\" \"stop;\"\r\n", "PUTSCRIPT \"a\" {7+}\r\nnonsens\r\n", "LISTSCRIPTS\r\n", "SETACTIVE \"a\"\r\n", "SETACTIVE \"\"\r\n", "GETSCRIPT \"a\"\r\n", "DELETESCRIPT \"a\"\r\n", "RENAMESCRIPT \"a\" \"b\"\r\n", "CHECKSCRIPT {5+}\r\nstop;\r\n",
        "CHECKSCRIPT \"require \\\"fileinto\\\"; fileinto \\\"x\\\";\"\r\n", "UNAUTHENTICATE\r\n", "LOGOUT\r\n", "{5+}\r\n", "PUTSCRIPT \"a\" {99999999999+}\r\n", "PUTSCRIPT \"a\" {30000+}\r\n", "\r\n", "\"\r\n", "X Y\r\n",
    ];

    private static readonly Gen<(byte[] Input, int Seed)> Inputs = WireFuzz.Inputs(Corpus);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Any_bytes_are_survived_however_they_are_split(bool loggedIn) => Inputs.SampleAsync(
        async sample =>
        {
            string whole = await AnswerAsync(loggedIn, sample.Input, ReadSplit.Whole);
            Assert.Equal(whole, await AnswerAsync(loggedIn, sample.Input, ReadSplit.Random(sample.Seed)));
            Assert.InRange(whole.Length, 0, 30_000 + 100 * sample.Input.Length);
            Assert.DoesNotContain("Something went wrong", whole, StringComparison.Ordinal);
        },
        iter: 300, threads: 1);

    private static async Task<string> AnswerAsync(bool loggedIn, byte[] input, ReadSplit split)
    {
        await using ManageSieveHost host = new();
        if (loggedIn) await host.GivenAsync("logged in");
        return await WireFuzz.AnswerAsync(host, input, split);
    }
}
