using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>All rows, in the order in which they are printed.</summary>
internal static class RowList
{
    private const string Overview = "UID FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)";

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
        new RelayRow { Id = "relay-1", Title = "Relaying, SMTP in and out, 4 KiB, one connection in", Sessions = 1, Ours = 4_000, Peers = 700, Goal = 10, CpuGoal = 10 },
        new RelayRow { Id = "relay-20", Title = "the same, 20 connections in", Goal = 10, CpuGoal = 10 },
        new RelayRow { Id = "relay-100", Title = "the same, 100 connections in", Sessions = 100, Goal = 10, CpuGoal = 10 },
        new AppendRow { Id = "append-1", Title = "APPEND, 4 KiB, one by one", Goal = 8 },
        new AppendRow { Id = "append-50", Title = "APPEND, 4 KiB, 50 under way", Window = 50, Ours = 8_000, Goal = 20 },
        new AppendRow { Id = "append-10000", Title = "APPEND, 10,000 messages, 50 under way", Window = 50, Ours = 10_000, Peers = 10_000, Goal = 40 },
        new LoginRow { Id = "imap-login-20", Title = "IMAP: log in, select, log out, 20 clients", Ours = 8_000, Peers = 2_500, Goal = 4, CpuGoal = 5 },
        new MixedImapRow { Id = "imap-mixed-20", Title = "IMAP: mixed commands, 20 clients", Ours = 60_000, Peers = 12_000, Goal = 4, CpuGoal = 6 },
        new MixedImapRow { Id = "imap-mixed-100", Title = "the same, 100 clients", Clients = 100, Ours = 60_000, Peers = 12_000, Goal = 4, CpuGoal = 6 },
        new SingleStoreRow { Id = "imap-store-1", Title = "STORE on one message after another", Clients = 1, Ours = 4_000, Peers = 1_500, Goal = 5 },
        new CommandRow { Id = "imap-select-first", Title = "SELECT of 10,000 messages after a restart", Command = "SELECT Bench", Selects = false, IsFirst = true, Goal = 10 },
        new CommandRow { Id = "imap-overview-first", Title = "FLAGS ENVELOPE BODYSTRUCTURE of 10,000 after a restart", Command = Overview, IsFirst = true, Goal = 15 },
        new CommandRow { Id = "imap-overview", Title = "the same, warm", Command = Overview, Goal = 4 },
        new CommandRow { Id = "imap-flags", Title = "FETCH FLAGS of 10,000", Command = "FETCH 1:* FLAGS", Goal = 1 },
        new CommandRow { Id = "imap-bodies", Title = "FETCH BODY.PEEK[] of 10,000 (128 MB)", Command = "FETCH 1:* BODY.PEEK[]", Goal = 1.5 },
        new CommandRow { Id = "imap-bodies-tls", Title = "the same over TLS", Command = "FETCH 1:* BODY.PEEK[]", Tls = true, Goal = 3 },
        new CommandRow { Id = "imap-search-text", Title = "SEARCH TEXT in 10,000", Command = "SEARCH TEXT " + VariedMail.Needle, Goal = 50 },
        new CommandRow { Id = "imap-search-body", Title = "SEARCH BODY in 10,000", Command = "SEARCH BODY " + VariedMail.Needle, Goal = 50 },
        new CommandRow { Id = "imap-search-subject", Title = "SEARCH SUBJECT in 10,000", Command = "SEARCH SUBJECT meeting", Goal = 5 },
        new CommandRow { Id = "imap-sort", Title = "SORT by subject, warm", Command = "SORT (SUBJECT) UTF-8 ALL", Goal = 1 },
        new CommandRow { Id = "imap-thread-first", Title = "THREAD REFERENCES after a restart", Command = "THREAD REFERENCES UTF-8 ALL", IsFirst = true, Goal = 5 },
        new CommandRow { Id = "imap-thread", Title = "the same, warm", Command = "THREAD REFERENCES UTF-8 ALL", Goal = 5 },
        new CommandRow { Id = "imap-store-all", Title = "STORE on 10,000", Command = "STORE 1:* +FLAGS.SILENT (\\Flagged)", After = ["STORE 1:* -FLAGS.SILENT (\\Flagged)"], Times = 3, Goal = 5 },
        new CommandRow { Id = "imap-copy", Title = "COPY of 10,000", Before = ["CREATE Copy"], Command = "COPY 1:* Copy", After = ["DELETE Copy"], Times = 1, Goal = 5 },
        new CommandRow
        {
            Id = "imap-move", Title = "MOVE of 5,000", Before = ["CREATE Copy", "COPY 1:* Copy", "CREATE There", "SELECT Copy"], Command = "MOVE 1:{half} There",
            After = ["UNSELECT", "DELETE Copy", "DELETE There"], Times = 1, Goal = 5,
        },
        new CommandRow
        {
            Id = "imap-expunge", Title = "EXPUNGE of 5,000", Before = ["CREATE Copy", "COPY 1:* Copy", "SELECT Copy", "STORE 1:{half} +FLAGS.SILENT (\\Deleted)"], Command = "EXPUNGE",
            After = ["UNSELECT", "DELETE Copy"], Times = 1, Goal = 1,
        },
        new HandshakeRow { Id = "tls-full", Title = "TLS handshake, whole", Goal = 1 / 1.8 },
        new HandshakeRow { Id = "tls-resumed", Title = "TLS handshake, resumed", Resumes = true, Limit = 0.6 },
        new IdleSessionRow { Id = "imap-idle", Title = "Memory for an idle IMAP session", Limit = 12 },
        new IdleSessionRow { Id = "imap-idle-tls", Title = "the same over TLS", Tls = true, Limit = 60 },
        new MemoryRow { Id = "memory-idle", Title = "Memory of the idle server", Limit = 45 },
        new StartRow { Id = "start", Title = "From start to the first banners", Limit = 0.2 },
    ];
}
