using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>All rows, in the order in which they are printed.</summary>
internal static class RowList
{
    internal static IReadOnlyList<Row> All { get; } =
    [
        new MailInRow { Id = "smtp-new-20", Title = "SMTP, 4 KiB, a connection for each message, 20 at once", Goal = 10, CpuGoal = 15 },
        new MailInRow { Id = "smtp-new-100", Title = "the same, 100 at once", Sessions = 100, Goal = 10, CpuGoal = 15 },
        new MailInRow { Id = "smtp-kept-20", Title = "SMTP, 4 KiB, kept connections, 20 at once", Kept = true, Ours = 20_000, Goal = 14, CpuGoal = 20 },
        new MailInRow { Id = "smtp-kept-100", Title = "the same, 100 at once", Kept = true, Sessions = 100, Ours = 20_000, Goal = 14, CpuGoal = 20 },
        new MailInRow { Id = "smtp-kept-pipelined-20", Title = "the same, 20 at once, MAIL, RCPT and DATA sent together", Kept = true, Pipelined = true, Ours = 20_000 },
        new MailInRow { Id = "smtp-new-1", Title = "SMTP, 4 KiB, one connection at a time", Sessions = 1, Ours = 4_000, Peers = 700, Goal = 6 },
        new MailInRow { Id = "smtp-64k-20", Title = "SMTP, 64 KiB, a connection for each message, 20 at once", Size = 65536, Ours = 5_000, Peers = 1_000, Goal = 12, CpuGoal = 15 },
        new MailInRow { Id = "smtp-64k-100", Title = "the same, 100 at once", Size = 65536, Sessions = 100, Ours = 5_000, Peers = 1_000, Goal = 12, CpuGoal = 15 },
        new FlushRow { Id = "flushes-100", Title = "Flushes for each message, SMTP, 100 kept connections", Limit = 0.1 },
        new MailInRow { Id = "lmtp-new-20", Title = "LMTP, 4 KiB, a connection for each message, 20 at once", Kind = LoadKind.Lmtp, Peers = 2_500, Goal = 8, CpuGoal = 10 },
        new MailInRow { Id = "lmtp-kept-20", Title = "LMTP, 4 KiB, kept connections, 20 at once", Kind = LoadKind.Lmtp, Kept = true, Ours = 20_000, Peers = 3_500, Goal = 8, CpuGoal = 10 },
        new AppendRow { Id = "append-1", Title = "APPEND, 4 KiB, one by one", Goal = 8 },
        new AppendRow { Id = "append-50", Title = "APPEND, 4 KiB, 50 under way", Window = 50, Ours = 8_000, Goal = 20 },
        new AppendRow { Id = "append-10000", Title = "APPEND, 10,000 messages, 50 under way", Window = 50, Ours = 10_000, Peers = 10_000, Goal = 40 },
        new MemoryRow { Id = "memory-idle", Title = "Memory of the idle server", Limit = 45 },
        new StartRow { Id = "start", Title = "From start to the first banners", Limit = 0.2 },
    ];
}
