using Posthorn.Bench.Compare.Servers;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>Memory of a server that was just started and has nothing to do; what processes share counts once.</summary>
internal sealed class MemoryRow : Row
{
    internal override string Unit => "MB";

    internal override bool HigherIsBetter => false;

    internal override bool NeedsRunning => false;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        server.Start();
        server.WaitUntilQuiet();
        double megabytes = server.Meter.ProportionalKiB() * 1024 / 1e6;
        server.End();
        return new(megabytes);
    }
}

/// <summary>From the start of the command to the first banners of SMTP and IMAP.</summary>
internal sealed class StartRow : Row
{
    internal override string Unit => "s";

    internal override bool HigherIsBetter => false;

    internal override bool NeedsRunning => false;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        double seconds = server.Start();
        server.WaitUntilQuiet();
        server.End();
        return new(seconds);
    }
}
