using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Another server's tree that could not be taken in at the first attempt: the second is an adoption still, and no rebuild of a tree of ours.</summary>
public sealed class AdoptionTests : IAsyncLifetime
{
    private const string Root = "/data/mail/ann";
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-adopt-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly List<string> _log = [];
    private readonly CrashVolume _volume;
    private MaildirHarness _server = null!;

    public AdoptionTests() => _volume = new(_time);

    public async ValueTask InitializeAsync()
    {
        foreach (string path in (string[])["/data", "/data/mail", Root]) _volume.MakeDirectory(path);
        foreach (string folder in (string[])["", "/.Sent", "/.Work", "/.Copy"])
        {
            if (folder.Length > 0) _volume.MakeDirectory(Root + folder);
            foreach (string part in (string[])["/new", "/cur", "/tmp"]) _volume.MakeDirectory(Root + folder + part);
        }

        Put("/dovecot-uidlist", "3 V1234 N2 G0123456789abcdef0123456789abcdef\n1 :100.a.host\n");
        Put("/cur/100.a.host:2,S", Text("inbox"));
        Put("/.Sent/dovecot-uidlist", "3 V1235 N6 G1123456789abcdef0123456789abcdef\n5 :200.a.host\n");
        Put("/.Sent/cur/200.a.host:2,S", Text("sent"));
        Put("/.Copy/dovecot-uidlist", "3 V1235 N6 G1123456789abcdef0123456789abcdef\n5 :200.a.host\n"); // made with cp -r
        Put("/.Copy/cur/200.a.host:2,S", Text("sent"));
        Put("/.Work/cur/300.a.host:2,F", Text("work")); // a folder that Dovecot has not looked into yet
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async ValueTask StartAsync()
    {
        _server = new("/data", _volume, _time, _directory) { Logger = new ListLogger(_log), JournalOptions = new() { Directory = "/data/journal", SegmentSize = 1 << 20, BackgroundWork = false } };
        await _server.StartAsync();
    }

    private void Put(string name, string text)
    {
        using IVolumeFile file = _volume.Open(Root + name, VolumeOpen.CreateNew);
        file.Write(0, System.Text.Encoding.Latin1.GetBytes(text));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task The_second_attempt_takes_it_in_as_it_was(bool restart, bool loseCatalogue)
    {
        _volume.Fault = (operation, path) => operation == "read" && path.StartsWith(Root + "/.Sent", StringComparison.Ordinal) ? VolumeError.Permission : null; // not chowned yet
        Refused(RefusalKind.Unavailable, await _server.OpenAsync(Ann, Cancel));
        Refused(RefusalKind.Unavailable, await _server.OpenAsync(Ann, Cancel));
        if (restart) await _server.StopAsync(kill: true);
        if (loseCatalogue) Directory.Delete(_directory + "/accounts/example.org", recursive: true);
        _volume.Fault = null;
        if (restart) await StartAsync();
        await using (IMailStore store = await _server.MustOpenAsync(Ann))
        {
            IReadOnlyList<MailboxInfo> list = await store.ListAsync(Cancel);
            Assert.Equal(["INBOX", "Copy", "Sent", "Work"], list.Select(info => info.Name.Value));
            Assert.Equal(SpecialUse.Sent, list[2].Use);
            foreach ((string name, string text) in ((string, string)[])[("INBOX", "inbox"), ("Copy", "sent"), ("Sent", "sent"), ("Work", "work")])
            {
                _time.Advance(TimeSpan.FromMinutes(1));
                await using IMailbox box = await store.MustSelectAsync(name, readOnly: true);
                Assert.Equal(Text(text), await store.ContentAsync(box.Info.Id!.Value, Assert.Single(box.Current.Rows()).Uid));
            }

            Assert.Equal((1234u, 1235u), (Must(await store.StatusAsync(Name("INBOX"), Cancel)).Validity.Value, Must(await store.StatusAsync(Name("Sent"), Cancel)).Validity.Value));
        }

        Assert.DoesNotContain(_log, line => line.Contains("is rebuilt", StringComparison.Ordinal));
        Assert.False(_volume.TryStat(Root + "/posthorn/adopting", out _));
        // From now on it is ours.
        await _server.StopAsync(kill: false);
        Directory.Delete(_directory + "/accounts/example.org", recursive: true);
        await StartAsync();
        await using IMailStore again = await _server.MustOpenAsync(Ann);
        Assert.Contains(_log, line => line.Contains("is rebuilt", StringComparison.Ordinal));
        Assert.Equal(SpecialUse.Sent, (await again.FindAsync(Name("Sent"), Cancel))!.Use);
    }
}
