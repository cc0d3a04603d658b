using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>A folder that is as it was when its account was closed is not listed again; whatever may have changed it meanwhile is found.</summary>
public sealed class FolderTimesTests : OnCrashVolume
{
    private const string Root = "/data/mail/ann";
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private int _listed;

    private protected override MaildirStoreOptions Change(MaildirStoreOptions options) => options with { ApplyAfter = TimeSpan.Zero };

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _volume.Before = (operation, path) => _listed += operation == "list" && path is Root + "/new" or Root + "/cur" ? 1 : 0;
        await _server.MustDeliverAsync(Ann, Text("first"));
        await _server.MustDeliverAsync(Ann, Text("second"));
        await SelectAsync();
    }

    private async ValueTask<MessageRow[]> SelectAsync()
    {
        await using IMailStore store = await _server.MustOpenAsync(Ann);
        await using IMailbox inbox = await store.MustSelectAsync("INBOX", readOnly: true);
        return [.. inbox.Current.Rows()];
    }

    private async ValueTask RestartAsync(TimeSpan rest, bool kill = false, Action? meanwhile = null)
    {
        _time.Advance(rest);
        if (!kill) await _server.Journal.CheckpointAsync(Cancel); // as a server does that is stopped: nothing is replayed
        await _server.StopAsync(kill);
        meanwhile?.Invoke();
        _time.Advance(TimeSpan.FromMinutes(1));
        await _server.StartAsync();
        _listed = 0;
    }

    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task A_folder_that_nobody_touched_is_not_listed_again()
    {
        await RestartAsync(Long);
        Assert.Equal(2, (await SelectAsync()).Length);
        Assert.Equal(0, _listed);
        await RestartAsync(Long);
        await SelectAsync();
        Assert.Equal(0, _listed);
    }

    [Fact]
    public async Task What_came_in_between_is_found()
    {
        await RestartAsync(Long, meanwhile: () =>
        {
            using (IVolumeFile file = _volume.Open($"{Root}/tmp/1.theirs", VolumeOpen.CreateNew)) file.Write(0, System.Text.Encoding.Latin1.GetBytes(Text("third")));
            _volume.Rename($"{Root}/tmp/1.theirs", $"{Root}/new/1.theirs");
        });
        Assert.Equal(3, (await SelectAsync()).Length);
    }

    [Fact]
    public async Task A_flag_that_was_set_in_between_is_found()
    {
        string name = _volume.List(Root + "/new", times: false)[0].Name;
        await RestartAsync(Long, meanwhile: () => _volume.Rename($"{Root}/new/{name}", $"{Root}/cur/{name}:2,S"));
        Assert.Single(await SelectAsync(), row => row.Flags == SystemFlags.Seen);
    }

    // Two changes of one moment have one time.
    [Fact]
    public async Task A_time_that_is_too_young_is_not_believed()
    {
        await RestartAsync(TimeSpan.Zero);
        await SelectAsync();
        Assert.NotEqual(0, _listed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_kill_the_folder_is_listed(bool notedBefore)
    {
        if (notedBefore) await RestartAsync(Long);
        await SelectAsync();
        await RestartAsync(Long, kill: true);
        await SelectAsync();
        Assert.NotEqual(0, _listed);
        await RestartAsync(Long); // in order again
        await SelectAsync();
        Assert.Equal(0, _listed);
    }

    [Fact]
    public async Task A_disk_that_refuses_the_look_keeps_nobody_from_closing()
    {
        _time.Advance(Long);
        _volume.Before = (operation, path) =>
        {
            if (operation == "list" && path.StartsWith(Root, StringComparison.Ordinal)) throw new VolumeException(VolumeError.Io, operation, path, "it fails");
        };
        await _server.Journal.CheckpointAsync(Cancel);
        await _server.StopAsync(kill: false);
        _volume.Before = null;
        await _server.StartAsync();
        Assert.Equal(2, (await SelectAsync()).Length);
    }
}
