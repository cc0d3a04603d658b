using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Names that lead out of an account's tree where another server lays levels out as directories.</summary>
public sealed class LayoutTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-layout-").FullName;
    private readonly List<string> _log = [];
    private readonly MaildirHarness _server;

    public LayoutTests()
    {
        FakeTimeProvider time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
        _server = new(_directory, new LinuxVolume(), time) { Logger = new ListLogger(_log), Change = options => options with { Separator = '/' } };
    }

    private MailAccount Ann => MaildirHarness.Account(_directory, "ann") with { Layout = new() { IsNested = true, ControlRoot = _directory + "/control/ann" } };

    public async ValueTask InitializeAsync()
    {
        foreach (string part in (string[])["new", "cur", "tmp"]) Directory.CreateDirectory($"{Ann.MailRoot}/{part}");
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("../bob/INBOX")]
    [InlineData("Work/../../bob")]
    [InlineData("./x")]
    [InlineData("x/..")]
    public async Task They_are_not_given(string name)
    {
        await using IMailStore store = await _server.MustOpenAsync(Ann);
        Must(await store.CreateAsync(Name("Old", '/'), SpecialUse.None, Cancel));
        Refused(RefusalKind.BadName, await store.CreateAsync(Name(name, '/'), SpecialUse.None, Cancel));
        Refused(RefusalKind.BadName, await store.RenameAsync(Name("Old", '/'), Name(name, '/'), Cancel));
        Refused(RefusalKind.BadName, await store.RenameAsync(MailboxName.Inbox, Name(name, '/'), Cancel));
        await using IMessageSink sink = await _server.SinkAsync(Text("filed"));
        DeliveryReceipt filed = await _server.DeliverAsync(sink, new DeliveryOrder { Deliveries = [new(Ann, Name(name, '/'), default, KeywordSet.Empty, default) { Create = true }] }, Cancel);
        Assert.Equal((await store.FindAsync(MailboxName.Inbox, Cancel))!.Id, Must(filed.Outcomes[0]).Mailbox);
        Must(await store.CreateAsync(Name("a..b/.c", '/'), SpecialUse.None, Cancel)); // dots among others are harmless
    }

    // A folder of such a name may be there already.
    [Fact]
    public async Task A_folder_of_such_a_name_touches_nobody_elses_files()
    {
        const string folder = ".&AC4-&AC4-.bob.INBOX";
        foreach (string part in (string[])["new", "cur", "tmp"]) Directory.CreateDirectory($"{Ann.MailRoot}/{folder}/{part}");
        string list = _directory + "/control/bob/INBOX/dovecot-uidlist";
        Directory.CreateDirectory(Path.GetDirectoryName(list)!);
        await File.WriteAllTextAsync(list, "3 V1234 N1 G0123456789abcdef0123456789abcdef\n", Cancel);
        await using (IMailStore store = await _server.MustOpenAsync(Ann)) Assert.NotNull(await store.FindAsync(Name("../bob/INBOX", '/'), Cancel));
        Assert.True(File.Exists(list), "it was taken away");
        Must(await _server.Stores.ExportDovecotAsync(Ann, new Progress<(int, int)>(), Cancel));
        Assert.Equal("3 V1234 N1 G0123456789abcdef0123456789abcdef\n", await File.ReadAllTextAsync(list, Cancel));
        Assert.False(Directory.Exists(_directory + "/mail/bob"), "it was moved out of the tree");
        Assert.True(Directory.Exists($"{Ann.MailRoot}/{folder}"));
        Assert.Contains(_log, line => line.Contains("is not taken in", StringComparison.Ordinal) && line.Contains(folder, StringComparison.Ordinal));
    }
}
