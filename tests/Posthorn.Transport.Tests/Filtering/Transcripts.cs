using Posthorn.Testing;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>What a client hears when scripts refuse (RFC 5429): whole, byte by byte, and in random pieces.</summary>
public sealed class Transcripts
{
    private const string Folder = "tests/Posthorn.Transport.Tests/Filtering";

    public static IEnumerable<TheoryDataRow<string>> All => Transcript.In(Folder);

    [Theory]
    [MemberData(nameof(All))]
    public Task Plays(string name) => TranscriptRunner.PlayAsync(Transcript.Load(Folder, name), () => new SieveSmtpHost());
}
