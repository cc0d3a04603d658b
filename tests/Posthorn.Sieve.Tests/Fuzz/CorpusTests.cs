using CsCheck;
using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve.Tests.Fuzz;

/// <summary>Lexer, parser and interpreter with a committed corpus: each file, each beginning of it, and seeded changes of it. What once failed joins the corpus.</summary>
public sealed class CorpusTests
{
    private static readonly string[] Messages =
    [
        Sieve.MessageA, Sieve.MessageB, "", "\n", "no header at all", "From: \"\\\nTo: (((\n\n",
        "Content-Type: multipart/mixed; boundary=b\nContent-Disposition: x; filename=\"a.exe\"\n\n--b\nContent-Type: message/rfc822\n\nSubject: =?utf-8?q?=FF?=\n\nx\n--b\n\n--b--\n",
    ];

    public static TheoryData<string> Files => [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Fuzz", "corpus")).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private static byte[] Read(string file) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Fuzz", "corpus", file));

    [Theory]
    [MemberData(nameof(Files))]
    public void EachFileAndEachBeginningOfItIsSurvived(string file)
    {
        byte[] octets = Read(file);
        for (int length = octets.Length; length >= 0; length--) Try(octets[..length], runs: length == octets.Length);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void ChangedOctetsAreSurvived(string file)
    {
        byte[] octets = Read(file);
        Gen.Select(Gen.Int[0, octets.Length - 1], Gen.Byte, Gen.Int[0, 2]).Array[1, 4].Sample(changes =>
        {
            List<byte> changed = [.. octets];
            foreach ((int at, byte with, int how) in changes)
            {
                int place = Math.Min(at, changed.Count - 1);
                if (how == 0) changed[place] = with;
                else if (how == 1) changed.Insert(place, with);
                else if (changed.Count > 1) changed.RemoveAt(place);
            }
            Try([.. changed], runs: true);
        }, iter: 150);
    }

    // No exception, errors where there is no script, the same tree after printing, and an end within the limits with the mail kept or dealt with.
    private static void Try(byte[] octets, bool runs)
    {
        SieveCompilation compiled = SieveCompiler.Compile(octets, "fuzz", Sieve.Settings);
        Assert.True(compiled.IsOk || compiled.Errors.Any());
        if (compiled.Script is not { } script) return;
        string printed = SievePrinter.Print(script.Tree);
        SieveCompilation again = SieveCompiler.Compile(SieveText.ToUtf8(printed), "fuzz", Sieve.Settings);
        Assert.True(again.IsOk, printed);
        Assert.Equal(printed, SievePrinter.Print(again.Script!.Tree));
        if (!runs) return;
        foreach (string message in Messages)
            Assert.NotEmpty(Sieve.Run([script], message, settings: Sieve.Settings with { Limits = SieveLimits.Default with { MaxSteps = 200_000 } }).Actions);
    }
}
