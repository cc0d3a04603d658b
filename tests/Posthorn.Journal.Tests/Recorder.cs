using Posthorn.Journal.Format;

namespace Posthorn.Journal.Tests;

/// <summary>A participant that only remembers what it was told.</summary>
internal sealed class Recorder(byte id) : IJournalParticipant
{
    public byte Id { get; } = id;

    internal List<Replayed> Records { get; } = [];
    internal List<Lsn> Syncs { get; } = [];
    internal Action<Lsn>? OnSync { get; set; }

    internal sealed record Replayed(Lsn Lsn, bool IsHeld, bool Relaxed, IReadOnlyList<(byte Participant, byte Kind, byte[] Payload)> Steps, byte[]? Content);

    public async ValueTask ReplayAsync(JournalRecord record, CancellationToken cancel)
    {
        byte[]? bytes = null;
        if (record.HasContent)
        {
            await using JournalContent content = record.OpenContent();
            bytes = new byte[record.ContentLength];
            Assert.Equal(bytes.Length, content.Read(0, bytes));
            Assert.Equal(record.ContentChecksum, Crc32C.Compute(bytes));
        }

        Records.Add(new(record.Lsn, record.IsHeld, record.Relaxed, [.. record.Steps.Select(step => (step.Participant, step.Kind, step.Payload.ToArray()))], bytes));
    }

    public ValueTask SyncAsync(Lsn upTo, CancellationToken cancel)
    {
        Syncs.Add(upTo);
        OnSync?.Invoke(upTo);
        return ValueTask.CompletedTask;
    }
}
