using System.Text;
using Posthorn.Sieve.Tests.Interop;
using Posthorn.Transport.Filtering;

namespace Posthorn.Sieve.Tests.Messages;

/// <summary>Two readings of the same messages agree: the tests' own and that of Posthorn.Mime.</summary>
public sealed class MimeSieveMessageTests
{
    public static TheoryData<string> Texts => [.. PigeonholeTests.Messages, Sieve.MessageA, Sieve.MessageB, "Subject: no empty line\n", "", "\n", "\nbody only"];

    [Theory]
    [MemberData(nameof(Texts))]
    public void BothReadersAgree(string text)
    {
        byte[] octets = Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\r\n"));
        ISieveMessage ours = MimeSieveMessage.Parse(octets);
        ISieveMessage plain = PlainMessage.Parse(octets);
        Assert.Equal(plain.Size, ours.Size);
        Assert.Equal(Shape(plain.Root), Shape(ours.Root));
    }

    private static string Shape(ISievePart part) =>
        $"{part.Type}/{part.Subtype} {part.Start}-{part.BodyStart}-{part.End} {part.HasBody} {(part.Type == "text" ? part.DecodeText(10_000) : "")}[{string.Join('|', part.Children.Select(Shape))}]";

    [Theory]
    [MemberData(nameof(Texts))]
    public void RunsOverEither(string text)
    {
        const string Script = """
            require ["foreverypart", "mime", "body", "replace", "editheader", "fileinto"];
            addheader "X-New" "1";
            foreverypart { if header :mime :type "content-type" "application" { replace "gone"; } }
            if body :contains "word" { fileinto "Word"; } else { keep; }
            """;
        string[] results = [.. new SieveMessageParser[] { PlainMessage.Parse, MimeSieveMessage.Parse }.Select(parser =>
        {
            ValueTask<SieveResult> run = SieveInterpreter.RunAsync([Sieve.Script(Script)], parser(Encoding.UTF8.GetBytes(text)), Sieve.Context with { Parser = parser }, Sieve.Settings, new FakeHost(), TestContext.Current.CancellationToken);
            SieveResult result = run.AsTask().GetAwaiter().GetResult();
            SieveImage image = result.Actions[0] is SieveAction.FileInto file ? file.Image : ((SieveAction.Keep)result.Actions[0]).Image;
            return Sieve.Actions(result) + Encoding.UTF8.GetString(image.ToBytes().Span);
        })];
        Assert.Equal(results[0], results[1]);
    }
}
