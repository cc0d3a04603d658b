using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Store;

namespace Posthorn.Transport.Filtering;

/// <summary>Answers what a script asks while it decides about one message of one account.</summary>
internal sealed class DeliveryHost(SieveServices services, SieveOptions options, MailAccount account, IReadOnlyDictionary<string, string> programEnvironment) : ISieveHost, IAsyncDisposable
{
    private IMailStore? _store;
    private IReadOnlyList<MailboxInfo>? _mailboxes;
    private IDisposable? _turn;

    /// <summary>The turn that was taken for what the filter remembers; the caller's to dispose.</summary>
    public IDisposable? TakeTurn()
    {
        IDisposable? turn = _turn;
        _turn = null;
        return turn;
    }

    public async ValueTask<SieveAnswer> AskAsync(SieveQuestion question, CancellationToken cancel)
    {
        try
        {
            return question switch
            {
                SieveQuestion.MailboxExists q => new SieveAnswer.Truth(await FindAsync(q.Mailbox, cancel) is not null),
                SieveQuestion.MailboxIdExists q => new SieveAnswer.Truth(await FindByIdAsync(q.Id, cancel) is not null),
                SieveQuestion.SpecialUseExists q => new SieveAnswer.Truth(await HasUseAsync(q.Mailbox, q.Use, cancel)),
                SieveQuestion.Metadata q => new SieveAnswer.Text(await AccountAnnotations.FindAsync(await StoreAsync(cancel), q.Mailbox, q.Entry, options, cancel)),
                SieveQuestion.ExternalList q => services.Lists.Find(account, q.Name, options),
                SieveQuestion.WasSeen q => new SieveAnswer.Truth(await RemembersAsync(FilterIds.Seen(q.Handle, q.Id, false), cancel) || await RemembersAsync(FilterIds.Seen(q.Handle, q.Id, true), cancel)),
                SieveQuestion.MaySendAs q => new SieveAnswer.Truth(services.MaySendAs is { } rights && await rights(account, ReversePath.Of(q.Address), cancel)),
                SieveQuestion.Include q => await services.Library.IncludeAsync(account, q, options, cancel),
                SieveQuestion.Run q => await RunAsync(q, cancel),
                _ => new SieveAnswer.Unavailable("this server cannot answer that", IsTemporary: false),
            };
        }
        catch (IOException e)
        {
            services.Log.HostTrouble(e, account.Address);
            return new SieveAnswer.Unavailable("the mail store cannot answer now");
        }
    }

    /// <summary>Whether the filter remembers this. From the first question on no other delivery to the account is asked until this one is done.</summary>
    public async ValueTask<bool> RemembersAsync(byte[] id, CancellationToken cancel)
    {
        _turn ??= await services.Turns.EnterAsync(account.Address, options.TurnWait, cancel);
        return await (await StoreAsync(cancel)).RemembersAsync(id, cancel);
    }

    public async ValueTask<MailboxName?> FindAsync(MailboxName name, CancellationToken cancel)
    {
        if (name.IsInbox) return name;
        return (await (await StoreAsync(cancel)).StatusAsync(name, cancel)).IsOk ? name : null;
    }

    public async ValueTask<MailboxName?> FindByIdAsync(string id, CancellationToken cancel) => (await MailboxesAsync(cancel)).FirstOrDefault(box => box.Id?.Value == id)?.Name;

    /// <summary>The mailbox with a special use; of several the one that the script names, else the first by name (RFC 8579 section 4).</summary>
    public async ValueTask<MailboxName?> FindByUseAsync(string use, MailboxName named, CancellationToken cancel)
    {
        IReadOnlyList<MailboxInfo> all = await MailboxesAsync(cancel);
        return all.FirstOrDefault(box => box.Name == named && IsUse(box, use))?.Name ?? all.FirstOrDefault(box => IsUse(box, use))?.Name;
    }

    /// <summary>The use that the words of a script mean, for a mailbox that is made; one that we do not know is none.</summary>
    public static SpecialUse UseOf(string? words) =>
        words is ['\\', .. { } name] && Enum.TryParse(name, ignoreCase: true, out SpecialUse use) && Enum.IsDefined(use) && !char.IsAsciiDigit(name[0]) ? use : SpecialUse.None;

    public ValueTask DisposeAsync()
    {
        _turn?.Dispose();
        return _store?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    private async ValueTask<bool> HasUseAsync(MailboxName? mailbox, string use, CancellationToken cancel) =>
        (await MailboxesAsync(cancel)).Any(box => IsUse(box, use) && (mailbox is not { } name || box.Name == name));

    private static bool IsUse(MailboxInfo box, string use) => box.Id is not null && box.Use != SpecialUse.None && use.Equals("\\" + box.Use, StringComparison.OrdinalIgnoreCase);

    private async ValueTask<IMailStore> StoreAsync(CancellationToken cancel)
    {
        if (_store is not null) return _store;
        Result<IMailStore> opened = await services.Stores.OpenAsync(account, cancel);
        return _store = opened.IsOk ? opened.Value : throw new IOException(opened.Refusal.Text);
    }

    private async ValueTask<IReadOnlyList<MailboxInfo>> MailboxesAsync(CancellationToken cancel) => _mailboxes ??= await (await StoreAsync(cancel)).ListAsync(cancel);

    private async ValueTask<SieveAnswer> RunAsync(SieveQuestion.Run run, CancellationToken cancel)
    {
        ProgramEnd? end = await new ProgramRunner(options).RunAsync(run.Program, run.Arguments, run.Input.Octets, programEnvironment, cancel);
        if (end is null) return new SieveAnswer.Unavailable($"there is no program \"{run.Program}\"", IsTemporary: false);
        if (end.Problem is { } problem) services.Log.ProgramFailed(account.Address, run.Program, problem);
        return new SieveAnswer.Output(end.IsOk, end.Output);
    }
}
