using System.Text;
using CsCheck;

namespace Posthorn.Testing.Fuzzing;

/// <summary>Feeds sessions with pieces of a protocol: commands as they are, commands with a byte that is changed, missing or new, and any bytes.</summary>
public static class WireFuzz
{
    /// <summary>Up to twelve pieces of a corpus, and a seed for how they are split.</summary>
    public static Gen<(byte[] Input, int Seed)> Inputs(IReadOnlyList<string> corpus)
    {
        Gen<string> command = Gen.Int[0, corpus.Count - 1].Select(i => corpus[i]);
        Gen<byte[]> piece = Gen.OneOf(
            command.Select(Encoding.Latin1.GetBytes),
            Gen.Select(command, Gen.Int[0, 200], Gen.Byte, Gen.Int[0, 2]).Select((text, at, with, how) => Mutate(Encoding.Latin1.GetBytes(text), at, with, how)),
            Gen.Byte.Array[0, 30]);
        return Gen.Select(piece.Array[1, 12].Select(pieces => pieces.SelectMany(p => p).ToArray()), Gen.Int);
    }

    /// <summary>All that a server says to some bytes, after which the client writes no more.</summary>
    public static async Task<string> AnswerAsync(ITranscriptHost host, byte[] input, ReadSplit split)
    {
        MemoryChannel client = host.Connect(split);
        await client.SendAsync(input, default);
        client.CloseWriting();
        StringBuilder answer = new();
        byte[] buffer = new byte[64 * 1024];
        int read;
        while ((read = await client.ReceiveAsync(buffer, default).AsTask().WaitAsync(TimeSpan.FromSeconds(60))) > 0) answer.Append(Encoding.Latin1.GetString(buffer, 0, read));
        await client.DisposeAsync();
        return answer.ToString();
    }

    private static byte[] Mutate(byte[] bytes, int at, byte with, int how)
    {
        at %= bytes.Length;
        return how switch
        {
            0 => [.. bytes[..at], with, .. bytes[(at + 1)..]],
            1 => [.. bytes[..at], .. bytes[(at + 1)..]],
            _ => [.. bytes[..at], with, .. bytes[at..]],
        };
    }
}
