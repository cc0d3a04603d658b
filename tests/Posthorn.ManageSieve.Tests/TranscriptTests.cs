using Posthorn.Testing;

namespace Posthorn.ManageSieve.Tests;

/// <summary>Plays every transcript of this project.</summary>
public sealed class TranscriptTests
{
    private const string Folder = "tests/Posthorn.ManageSieve.Tests/Transcripts";

    public static IEnumerable<TheoryDataRow<string>> All() => Transcript.In(Folder);

    [Theory]
    [MemberData(nameof(All))]
    public Task Plays(string file) => TranscriptRunner.PlayAsync(Transcript.Load(Folder, file), () => new ManageSieveHost());
}
