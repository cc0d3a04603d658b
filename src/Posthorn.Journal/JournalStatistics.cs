namespace Posthorn.Journal;

/// <summary>What the journal has done since it was opened. <c>Records / Flushes</c> is how well flushes are shared.</summary>
/// <param name="Records">Records made durable.</param>
/// <param name="Bytes">Bytes written, padding included.</param>
/// <param name="Flushes">Batches written and synced.</param>
/// <param name="LargestBatch">The most records that one flush made durable.</param>
/// <param name="FailedFlushes">Batches that failed.</param>
/// <param name="Checkpoints">Checkpoints that moved on.</param>
/// <param name="Replayed">Records replayed at the start.</param>
public readonly record struct JournalStatistics(long Records, long Bytes, long Flushes, int LargestBatch, int FailedFlushes, int Checkpoints, long Replayed);
