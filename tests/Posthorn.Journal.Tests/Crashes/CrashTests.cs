using System.Globalization;
using Posthorn.Testing.Volumes;

namespace Posthorn.Journal.Tests.Crashes;

/// <summary>The power goes at every operation of generated histories in turn. POSTHORN_CRASH_HISTORIES runs more of them, POSTHORN_CRASH_SEED begins elsewhere.</summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;

    [Fact]
    public Task Nothing_acknowledged_is_lost_wherever_the_power_goes() => EveryCutAsync(HistoryKind.Sound, Setting("POSTHORN_CRASH_HISTORIES", 8));

    [Fact]
    public Task Nothing_refused_comes_back_when_flushes_fail_too() => EveryCutAsync(HistoryKind.FailingSyncs, Setting("POSTHORN_CRASH_HISTORIES", 8));

    private async Task EveryCutAsync(HistoryKind kind, int histories)
    {
        int first = Setting("POSTHORN_CRASH_SEED", 1);
        int cuts = 0, failures = 0, full = 0, stopped = 0, held = 0;
        long replayed = 0;
        for (int seed = first; seed < first + histories; seed++)
        {
            for (int cut = 1; ; cut++)
            {
                History history = new(seed, kind);
                history.Volume.MakeDirectory("/etc"); // the volume is not empty
                bool wasCut = false;
                try
                {
                    history.Volume.CutAt = cut;
                    try
                    {
                        await history.RunAsync(90);
                    }
                    catch (PowerCut)
                    {
                        wasCut = true;
                    }

                    await history.CrashAsync(seed * 1009 + cut, cutInStart: cut % 3 == 0 ? cut % 17 + 1 : null);
                    await history.RunAsync(25);
                    await history.CrashAsync(seed * 2003 + cut, cutInStart: null);
                }
                catch (Exception problem) when (problem is not PowerCut)
                {
                    output.WriteLine($"{kind}: POSTHORN_CRASH_SEED={seed}, cut {cut}");
                    throw new InvalidOperationException($"{kind}, seed {seed}, cut at operation {cut}: {problem.Message}", problem);
                }

                cuts++;
                held += history.Holds;
                (failures, full, stopped, replayed) = (failures + history.Failures, full + history.Full, stopped + history.Stopped, replayed + history.ReplayedRecords);
                if (!wasCut) break;
            }
        }

        output.WriteLine($"{kind}: seeds {first} to {first + histories - 1}, {cuts} cuts, {failures} failed flushes, {full} times full, {stopped} times stopped, {held} held, {replayed} records replayed");
        Assert.True(cuts > histories * 100, $"{cuts} cuts are too few to mean anything");
        Assert.True(replayed > cuts);
        Assert.True(held > cuts / 2);
        if (kind == HistoryKind.FailingSyncs) Assert.True(failures > cuts / 2);
    }
}
