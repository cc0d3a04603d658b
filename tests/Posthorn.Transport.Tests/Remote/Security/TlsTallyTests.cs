using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Transport.Remote.Security;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Transport.Tests.Remote.Security;

/// <summary>What is counted for reports has bounds, whatever strangers publish.</summary>
public sealed class TlsTallyTests : IDisposable
{
    private readonly string _folder = System.IO.Directory.CreateTempSubdirectory("posthorn-tally-").FullName;
    private readonly FakeTimeProvider _time = new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private static readonly DateOnly Day = new(2026, 3, 1);

    public void Dispose() => System.IO.Directory.Delete(_folder, recursive: true);

    private TlsTally Make(long octets = TlsTally.UsualOctets) => new(_folder, _time, NullLogger.Instance, octets);

    private static TlsSessionCount Session(string domain, string line = "v=STSv1", TlsTrouble? trouble = null, string host = "mx.example") =>
        new(new(TlsPolicyKind.Sts, domain, [line], []), trouble, "192.0.2.1", host, "192.0.2.2");

    /// <summary>A folder where the file should be is refused as a file of somebody else's is.</summary>
    [Fact]
    public void Counts_that_cannot_be_read_or_written_end_nothing()
    {
        TlsTally tally = Make();
        tally.Count(Session("a.example"));
        tally.Save();
        string file = Assert.Single(System.IO.Directory.GetFiles(_folder));
        File.Delete(file);
        System.IO.Directory.CreateDirectory(file);
        System.IO.Directory.CreateDirectory(file + ".tmp");
        tally = Make();
        tally.Load();
        tally.Count(Session("a.example"));
        tally.Save();
        Assert.Single(tally.Of(Day, "a.example"));
    }

    [Fact]
    public void Policies_take_only_so_many_octets()
    {
        TlsTally tally = Make(octets: 100_000);
        for (int i = 0; i < 40; i++) tally.Count(Session("a.example", $"{i}" + new string('x', 5_000)));
        Assert.InRange(tally.Of(Day, "a.example").Count, 3, 6); // of 20 KB each
        tally.Count(Session("a.example", "0" + new string('x', 5_000)));
        Assert.Equal(2, tally.Of(Day, "a.example")[0].Successes); // what is known goes on
    }

    [Fact]
    public void Details_take_only_so_many_octets_and_all_failures_count()
    {
        TlsTally tally = Make(octets: 10_000);
        for (int i = 0; i < 90; i++) tally.Count(Session("a.example", trouble: new("certificate-not-trusted", "r"), host: $"{i}." + new string('h', 250)));
        PolicySummary summary = Assert.Single(tally.Of(Day, "a.example"));
        Assert.Equal(90, summary.Failures);
        Assert.InRange(summary.Details.Count, 5, 20);
    }

    [Fact]
    public void A_report_that_was_sent_makes_room_and_a_file_beyond_the_bound_is_cut()
    {
        TlsTally tally = Make(octets: 30_000);
        for (int i = 0; i < 100; i++) tally.Count(Session($"d{i}.example"));
        int kept = tally.Before(Day.AddDays(1)).Count;
        Assert.InRange(kept, 10, 90);
        foreach ((DateOnly day, string domain) in tally.Before(Day.AddDays(1))) tally.Forget(day, domain);
        for (int i = 0; i < 100; i++) tally.Count(Session($"e{i}.example"));
        Assert.InRange(tally.Before(Day.AddDays(1)).Count, kept - 1, kept + 1); // all that was taken is given back

        tally.Save();
        TlsTally smaller = Make(octets: 15_000);
        smaller.Load();
        Assert.InRange(smaller.Before(Day.AddDays(1)).Count, 1, kept / 2 + 1);
    }
}
