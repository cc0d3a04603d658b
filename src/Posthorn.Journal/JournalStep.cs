namespace Posthorn.Journal;

/// <summary>One thing that a record tells one participant: which one, what kind of thing, and its data. The journal does not look inside.</summary>
public readonly record struct JournalStep(byte Participant, byte Kind, ReadOnlyMemory<byte> Payload);
