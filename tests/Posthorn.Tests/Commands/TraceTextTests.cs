using System.Text;
using Posthorn.Commands;
using Posthorn.Transport.Trace;

namespace Posthorn.Tests.Commands;

public sealed class TraceTextTests
{
    /// <summary>What nobody stored has no record, and is not safe.</summary>
    [Theory]
    [InlineData("""{"lsn":7,"copies":[{"account":"a@b.example","mailbox":"INBOX","uid":3}]}""", "safe        journal record 7: a@b.example INBOX, UID 3")]
    [InlineData("""{"lsn":0,"copies":[{"account":"a@b.example","refusal":"452 4.2.2 Full"}]}""", "not stored  for a@b.example: 452 4.2.2 Full")]
    [InlineData("""{"lsn":7,"copies":[{"account":"c@b.example","mailbox":"INBOX","uid":1},{"account":"a@b.example","refusal":"452 4.2.2 Full"}]}""", "            not stored for a@b.example: 452 4.2.2 Full")]
    public void What_became_of_the_copies(string fields, string expected)
    {
        TraceLine line = TraceLine.Read(Encoding.UTF8.GetBytes("""{"time":"2026-01-02T03:04:05Z","event":"stored","id":"X",""" + fields[1..]))!;
        Assert.EndsWith("  " + expected, TraceText.Of(new("X", [line])).Last(), StringComparison.Ordinal);
    }
}
