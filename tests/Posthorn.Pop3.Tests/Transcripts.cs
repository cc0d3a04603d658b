using Posthorn.Testing;

namespace Posthorn.Pop3.Tests;

/// <summary>Plays every transcript of this project: whole, byte by byte, and in random pieces.</summary>
public sealed class Transcripts
{
    private const string Folder = "tests/Posthorn.Pop3.Tests";

    public static IEnumerable<TheoryDataRow<string>> All => Transcript.In(Folder);

    [Theory]
    [MemberData(nameof(All))]
    public Task Plays(string name) => TranscriptRunner.PlayAsync(Transcript.Load(Folder, name), () => new Pop3Host());
}
