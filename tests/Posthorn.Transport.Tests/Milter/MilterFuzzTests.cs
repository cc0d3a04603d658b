using System.Text;
using CsCheck;
using Posthorn.Testing;
using Posthorn.Transport.Milter;

namespace Posthorn.Transport.Tests.Milter;

/// <summary>Any bytes from a filter: no exception, bounded words, and mail is either refused or whole.</summary>
public sealed class MilterFuzzTests
{
    private static readonly byte[][] Corpus =
    [
        ScriptedMilter.Packet('c'), ScriptedMilter.Packet('a'), ScriptedMilter.Packet('p'), ScriptedMilter.Packet('s'), ScriptedMilter.Packet('h', ScriptedMilter.Texts("X", "1\n 2")),
        ScriptedMilter.Packet('i', ScriptedMilter.Indexed(1, "X", "v")), ScriptedMilter.Packet('m', ScriptedMilter.Indexed(1, "From", "")), ScriptedMilter.Packet('b', "body\r\n"u8.ToArray()),
        ScriptedMilter.Packet('+', ScriptedMilter.Texts("<bob@example.org>")), ScriptedMilter.Packet('2', ScriptedMilter.Texts("<bob@example.org>", "NOTIFY=NEVER")), ScriptedMilter.Packet('-', ScriptedMilter.Texts("<bob@example.org>")),
        ScriptedMilter.Packet('e', ScriptedMilter.Texts("<x@example.net>")), ScriptedMilter.Packet('q', ScriptedMilter.Texts("why")), ScriptedMilter.Packet('y', ScriptedMilter.Texts("550 5.7.1 no")),
    ];

    private static readonly Gen<byte[]> Packet = Gen.OneOf(
        Gen.Int[0, Corpus.Length - 1].Select(i => Corpus[i]),
        Gen.Select(Gen.Int[0, Corpus.Length - 1], Gen.Int[0, 60], Gen.Byte).Select((i, at, with) =>
        {
            byte[] changed = [.. Corpus[i]];
            changed[at % changed.Length] = with;
            return changed;
        }),
        Gen.Select(Gen.Char["cadrtfpshimeqyb+-2O4"], Gen.Byte.Array[0, 30]).Select((command, data) => ScriptedMilter.Packet(command, data)),
        Gen.Byte.Array[0, 20]);

    [Fact]
    public void Any_packet_is_an_answer_or_none() =>
        Gen.Select(Gen.Byte, Gen.OneOf(Gen.Byte.Array[0, 60], Packet)).Sample((command, data) =>
        {
            if (MilterAnswer.Read(command, data) is MilterAnswer.Say { Reply: var reply })
            {
                Assert.InRange(reply.Code, 400, 599);
                Assert.True(reply.Text.All(c => c is '\n' or >= ' ' and <= '~'));
                Assert.InRange(reply.Text.Length, 0, 33 * 481);
            }
            if (MilterAnswer.ReadTerms(data, 6) is { } terms) Assert.InRange(terms.Version, 2, 6);
        }, iter: 20_000);

    [Fact]
    public Task Any_answers_leave_mail_whole_or_refused() =>
        Gen.Select(Packet.Array[1, 8], Gen.Int[0, 9], Gen.Int).SampleAsync(async (packets, stage, seed) =>
        {
            char point = "OCHMRTLNBE"[stage];
            byte[] said = [.. packets.SelectMany(packet => packet)];
            string whole = await PlayAsync(point, said, ReadSplit.Whole);
            Assert.Equal(whole, await PlayAsync(point, said, ReadSplit.Bytes));
            Assert.Equal(whole, await PlayAsync(point, said, ReadSplit.Random(seed)));
        }, iter: 150, threads: 1);

    // After what it says at the point the filter closes: nothing is waited for.
    private static async Task<string> PlayAsync(char point, byte[] said, ReadSplit split)
    {
        ScriptedMilter filter = new() { Pieces = split };
        filter.At(point, new MilterAct.RawAndClose(said));
        await using MilterRig rig = new(null, filter);
        SmtpReply reply = await rig.SendOneAsync();
        StringBuilder state = new(reply.ToString().Split(" Ok: queued")[0]);
        foreach (string mail in (string[])[.. await rig.Rig.MailAsync(rig.Rig.Ann), .. await rig.Rig.MailAsync(rig.Rig.Bob)]) state.Append('|').Append(mail.Length > 0 ? mail[(mail.IndexOf("Received:", StringComparison.Ordinal) + 200)..] : "");
        state.Append('|').Append(rig.Rig.Queued.Count);
        if (!reply.IsPositive) Assert.EndsWith("|0", state.ToString(), StringComparison.Ordinal);
        return state.ToString();
    }
}
