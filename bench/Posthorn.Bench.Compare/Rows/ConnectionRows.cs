using System.Net;
using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>The server's CPU for a TLS handshake, banner included; one connection after another.</summary>
internal sealed class HandshakeRow : Row
{
    /// <summary>Whether the session of before is taken up (RFC 8446 section 2.2).</summary>
    internal bool Resumes { get; init; }

    internal override string Unit => "ms of CPU";

    internal override bool HigherIsBetter => false;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        int count = scope.Scale(3_000, 3_000);
        Connect(server, 50);
        server.WaitUntilQuiet();
        double cpu = server.Meter.Cpu(), own = Environment.CpuUsage.TotalTime.TotalSeconds;
        Connect(server, count);
        double client = Environment.CpuUsage.TotalTime.TotalSeconds - own;
        return new(Math.Max(server.Meter.Cpu() - cpu, 0.01) / count * 1000, ClientCpu: client / count * 1000);
    }

    private void Connect(MailServer server, int count)
    {
        for (int i = 0; i < count; i++) new ImapClient(server.ImapsPort, tls: true, Resumes, buffer: 4096).Dispose();
    }
}

/// <summary>Memory for one more idle session that is logged in and has its INBOX selected, beyond the first hundred.</summary>
internal sealed class IdleSessionRow : Row
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(2);

    internal bool Tls { get; init; }

    internal override string Unit => "KiB";

    internal override bool HigherIsBetter => false;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        List<ImapClient> sessions = [];
        try
        {
            Open(server, sessions, scope.Quick ? 5 : 100, scope.IsPeer);
            double before = server.Meter.ProportionalKiB();
            int more = scope.Quick ? 10 : scope.IsPeer ? 400 : 4_000;
            Open(server, sessions, more, scope.IsPeer);
            return new(Math.Max(0.01, (server.Meter.ProportionalKiB() - before) / more));
        }
        finally
        {
            foreach (ImapClient session in sessions) session.Dispose();
        }
    }

    // What was set up for a moment is given back by then, or it counts.
    private void Open(MailServer server, List<ImapClient> sessions, int count, bool isPeer)
    {
        for (int i = 0; i < count; i++)
        {
            // Dovecot wants TLS or an address that is its own before it takes a password; Posthorn takes so many sessions from several addresses only.
            IPAddress? from = isPeer ? null : new([127, 0, 1, (byte)(1 + sessions.Count % 200)]);
            ImapClient session = new(Tls ? server.ImapsPort : server.ImapPort, Tls, buffer: 2048, from: from);
            sessions.Add(session);
            session.Run($"LOGIN user{i % 90}@bench.test pass");
            session.Run("EXAMINE INBOX");
            session.Idle();
        }

        server.WaitUntilQuiet();
        Thread.Sleep(Rest);
    }
}
