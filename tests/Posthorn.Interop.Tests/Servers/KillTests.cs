using Posthorn.Kills;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>The real program under load, killed and started again; what it acknowledged is there, once and whole. By hand for longer: <c>Posthorn.Kills --kills 1000</c>.</summary>
public sealed class KillTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Nothing_acknowledged_is_lost_or_there_twice_over_fifty_kills()
    {
        using TemporaryFolder folder = new();
        int seed = Environment.TickCount & 0xFFFFFF;
        KillReport report = await new KillRun(new(50, seed, folder.Path, output.WriteLine)).RunAsync();
        output.WriteLine(report.ToString());
        Assert.True(report.IsClean, $"{report}\n{string.Join('\n', report.Violations)}");
        Assert.True(report.Acknowledged > 300, report.ToString()); // a busy machine takes in less between two kills
    }
}
