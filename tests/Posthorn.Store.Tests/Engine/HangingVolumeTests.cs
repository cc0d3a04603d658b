using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>A volume that does not answer: what is done behind everybody's back for accounts of other volumes goes on.</summary>
public sealed class HangingVolumeTests : OnCrashVolume
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");
    private static readonly MailAccount Bob = MaildirHarness.Account("/other", "bob");

    private readonly TaskCompletionSource _hangs = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _wakes = new();

    private protected override MaildirStoreOptions Change(MaildirStoreOptions options) => options with { ApplyAfter = TimeSpan.FromMilliseconds(250), TidyAfter = TimeSpan.FromSeconds(1) };

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await using IMailStore ann = await _server.MustOpenAsync(Ann);
        await using IMailStore bob = await _server.MustOpenAsync(Bob);
    }

    public override async ValueTask DisposeAsync()
    {
        _wakes.Set();
        await base.DisposeAsync();
        _wakes.Dispose();
    }

    private async ValueTask HangAsync()
    {
        _volume.Before = (operation, path) =>
        {
            if (operation != "write" || !path.StartsWith("/other/mail/", StringComparison.Ordinal)) return;
            _hangs.TrySetResult();
            _wakes.Wait(Patience);
        };
        await _server.MustDeliverAsync(Bob, Text("bob's"));
        await UntilAsync(() => _hangs.Task.IsCompleted);
    }

    private async ValueTask UntilAsync(Func<bool> happens)
    {
        using CancellationTokenSource patience = new(Patience);
        while (!happens())
        {
            patience.Token.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromMilliseconds(250));
            await Task.Yield();
        }
    }

    private int FilesOf(string part) => _volume.List("/data/mail/ann/" + part, times: false).Count;

    [Fact]
    public async Task Waiting_mail_of_others_is_applied()
    {
        await HangAsync();
        await _server.MustDeliverAsync(Ann, Text("ann's"));
        await UntilAsync(() => FilesOf("new") == 1);
    }

    [Fact]
    public async Task File_names_of_others_follow_and_their_flags_change()
    {
        await using IMailStore ann = await _server.MustOpenAsync(Ann);
        MailboxId inbox = (await ann.MustAppendAsync(_server, "INBOX", Text("ann's"))).Mailbox;
        await HangAsync();
        Must(await ann.ChangeFlagsAsync(inbox, Uids(1), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        await UntilAsync(() => FilesOf("cur") == 1);
    }

    [Fact]
    public async Task Words_of_others_are_indexed()
    {
        await using IMailStore bob = await _server.MustOpenAsync(Bob), ann = await _server.MustOpenAsync(Ann); // nor are they closed in all the time that passes
        foreach (IMailStore store in (IMailStore[])[bob, ann]) await store.MustAppendAsync(_server, "INBOX", Text("one"));
        _volume.Before = (operation, path) =>
        {
            if (operation != "read" || !path.StartsWith("/other/mail/bob/new/", StringComparison.Ordinal)) return;
            _hangs.TrySetResult();
            _wakes.Wait(Patience);
        };
        await UntilAsync(() => _hangs.Task.IsCompleted);
        await ann.MustAppendAsync(_server, "INBOX", Text("two"));
        await UntilAsync(() => _server.Stores.TryUseWords(Ann.Address, index => index.UpTo, out long last) && last == 2);
    }
}
