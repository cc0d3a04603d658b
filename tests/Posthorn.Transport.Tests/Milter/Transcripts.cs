using Posthorn.Testing;

namespace Posthorn.Transport.Tests.Milter;

/// <summary>What a client hears when a filter has its say: whole, byte by byte, and in random pieces, of the client's words and of the filter's.</summary>
public sealed class Transcripts
{
    private const string Folder = "tests/Posthorn.Transport.Tests/Milter";

    public static IEnumerable<TheoryDataRow<string, ReadSplit>> All =>
        from name in Transcript.In(Folder).Select(row => row.Data) from split in (ReadSplit[])[ReadSplit.Whole, ReadSplit.Bytes, ReadSplit.Random(11)] select new TheoryDataRow<string, ReadSplit>(name, split);

    [Theory]
    [MemberData(nameof(All))]
    public Task Plays(string name, ReadSplit filter) => TranscriptRunner.PlayAsync(Transcript.Load(Folder, name), () => new MilterSmtpHost(filter));
}
