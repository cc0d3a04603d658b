using Posthorn.Testing;

namespace Posthorn.Imap.Tests;

/// <summary>Plays every transcript of this project.</summary>
public sealed class TranscriptTests
{
    internal const string Folder = "tests/Posthorn.Imap.Tests/Transcripts";

    public static IEnumerable<TheoryDataRow<string>> All() => Transcript.In(Folder);

    [Theory]
    [MemberData(nameof(All))]
    public Task Plays(string file) => TranscriptRunner.PlayAsync(Transcript.Load(Folder, file), () => new ImapHost());

    [Theory]
    [MemberData(nameof(All))]
    public Task Plays_on_Maildirs(string file) => TranscriptRunner.PlayAsync(Transcript.Load(Folder, file), () => new ImapHost(new TemporaryFolder()));
}
