using Posthorn.Testing;

namespace Posthorn.Transport.Tests.Policy;

/// <summary>Rules at each stage, as clients meet them: whole, byte by byte, and in random pieces.</summary>
public sealed class Transcripts
{
    private const string Folder = "tests/Posthorn.Transport.Tests/Policy";

    public static IEnumerable<TheoryDataRow<string>> All => Transcript.In(Folder);

    [Theory]
    [MemberData(nameof(All))]
    public Task Plays(string name) => TranscriptRunner.PlayAsync(Transcript.Load(Folder, name), () => new PolicyHost());
}
