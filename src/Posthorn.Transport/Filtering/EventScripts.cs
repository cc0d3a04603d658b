using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Store;

namespace Posthorn.Transport.Filtering;

/// <summary>What happened to a message by IMAP (RFC 6785 section 3.1).</summary>
/// <param name="Cause">APPEND, COPY or FLAG; a move is a COPY.</param>
/// <param name="Mailbox">Where the message lies now.</param>
/// <param name="From">Where a copied message came from; null for other causes.</param>
/// <param name="ChangedFlags">The flags that changed, as words.</param>
internal sealed record ImapEvent(string Cause, MailboxInfo Mailbox, MailboxName? From, IReadOnlyList<string> ChangedFlags);

/// <summary>Runs scripts for IMAP events over messages that are stored already (RFC 6785): the administrator's, then the one that an annotation names.</summary>
internal sealed class EventScripts(SieveServices services, EventMail mail, Func<SieveOptions> options)
{
    /// <summary>Whether no script waits for any event.</summary>
    public bool IsEmpty => options() is { ImapRules.Count: 0, UserEvents: false };

    /// <summary>Runs the scripts for some messages, one after the other. Trouble is logged and ends nothing.</summary>
    public async ValueTask RunAsync(IMailStore store, ImapEvent happened, IReadOnlyList<Uid> uids, CancellationToken cancel)
    {
        SieveOptions current = options();
        List<SieveScript> scripts = [];
        foreach (ImapScriptRule rule in current.ImapRules)
            if (Fits(rule, happened) && services.Library.Administrators(rule.Script, current) is { } script) scripts.Add(script);
        if (current.UserEvents && await OwnersAsync(store, happened, current, cancel) is { } own) scripts.Add(own);
        if (scripts.Count == 0 || happened.Mailbox.Id is not { } mailbox) return;
        foreach (Uid uid in uids)
        {
            try
            {
                await RunAsync(store, mailbox, uid, happened, scripts, current, cancel);
            }
            catch (IOException e)
            {
                services.Log.HostTrouble(e, store.Account.Address);
            }
        }
    }

    // The mailbox's annotation decides, even an empty one or one that cannot be used; else the server's (RFC 6785 section 2.3.1).
    private async ValueTask<SieveScript?> OwnersAsync(IMailStore store, ImapEvent happened, SieveOptions current, CancellationToken cancel)
    {
        string? name = await AccountAnnotations.FindAsync(store, happened.Mailbox.Id, AccountAnnotations.EventScript, cancel)
            ?? await AccountAnnotations.FindAsync(store, (MailboxName?)null, AccountAnnotations.EventScript, current, cancel);
        if (string.IsNullOrEmpty(name)) return null;
        SieveAnswer.Script? found = await services.Library.IncludeAsync(store.Account, new(IsGlobal: false, name), current, cancel) as SieveAnswer.Script;
        if (found?.Value is { } script) return script;
        services.OwnerLog.TryWrite(store.Account, [$"the script \"{name}\" for IMAP events {(found?.Problem is { } problem ? $"does not run: {problem}" : "is not there")}"], current.OwnerLogSize);
        return null;
    }

    private static bool Fits(ImapScriptRule rule, ImapEvent happened) =>
        (rule.Causes.Count == 0 || rule.Causes.Contains(happened.Cause)) && Names(rule.Mailbox, happened.Mailbox.Name) && (rule.From == "*" || happened.From is { } from && Names(rule.From, from));

    private static bool Names(string pattern, MailboxName name) => pattern == "*" || pattern == name.Value || name.IsInbox && pattern.Equals("INBOX", StringComparison.OrdinalIgnoreCase);

    private async ValueTask RunAsync(IMailStore store, MailboxId mailbox, Uid uid, ImapEvent happened, List<SieveScript> scripts, SieveOptions current, CancellationToken cancel)
    {
        Result<IMessageContent> opened = await store.OpenContentAsync(mailbox, uid, cancel);
        if (!opened.IsOk) return; // gone again
        await using IMessageContent content = opened.Value;
        SinkMessage message = new(content.Read, content.Length, current.MaxBodyInMemory);
        Dictionary<string, string> environment = EnvironmentOf(store.Account, happened);
        Dictionary<string, string> programs = new() { ["PATH"] = "/usr/local/bin:/usr/bin:/bin", ["HOME"] = store.Account.Home, ["USER"] = store.Account.Address.ToString(), ["HOST"] = current.Hostname };
        SieveContext context = new()
        {
            Envelope = new() { To = store.Account.Address.ToString() }, Postmaster = current.Postmaster ?? $"postmaster@{store.Account.Address.Domain}", Owner = store.Account.Address, HostName = current.Hostname, Time = services.Time, Environment = environment,
            IsImapEvent = true, Parser = MimeSieveMessage.Parse, DeliveryId = $"{mailbox}.{uid}",
        };
        await using DeliveryHost host = new(services, current, store.Account, programs);
        SieveResult result = await SieveInterpreter.RunAsync(scripts, message, context, current.Language, host, cancel);
        List<string> remarks = [.. result.Notes.Select(note => note.Text)];
        if (result.Error is { } error) remarks.Add($"{scripts[0].Name}: {error.Message}");
        bool kept = false;
        foreach (SieveAction action in result.Actions) kept |= await CarryOutAsync(store, mailbox, uid, action, current, programs, host, remarks, cancel);
        if (!kept && result.IsOk) await RemoveAsync(store, mailbox, uid, cancel);
        if (remarks.Count > 0) services.OwnerLog.TryWrite(store.Account, remarks, current.OwnerLogSize);
    }

    // True when the message stays where it lies.
    private async ValueTask<bool> CarryOutAsync(IMailStore store, MailboxId mailbox, Uid uid, SieveAction action, SieveOptions current, Dictionary<string, string> programs, DeliveryHost host, List<string> remarks, CancellationToken cancel)
    {
        switch (action)
        {
            case SieveAction.Keep keep:
                (SystemFlags flags, KeywordSet keywords) = FlagWords.Read(keep.Flags);
                if (keep.Flags.Count > 0) await store.ChangeFlagsAsync(mailbox, [uid], new(FlagOperation.Add, flags, keywords), null, cancel);
                return true;
            case SieveAction.FileInto file:
                MailboxName target = file.Target.SpecialUse is { } use && await host.FindByUseAsync(use, file.Target.Mailbox, cancel) is { } found ? found : file.Target.Mailbox;
                if (file.Target.Create && await host.FindAsync(target, cancel) is null) await store.CreateAsync(target, DeliveryHost.UseOf(file.Target.SpecialUse), cancel);
                Result<Placement> copied = await store.CopyAsync(mailbox, [uid], target, cancel);
                if (copied.IsOk) return false;
                remarks.Add($"the message could not be copied to \"{target}\": {copied.Refusal.Text}");
                return true;
            case SieveAction.Pipe pipe:
                ProgramEnd? end = await new ProgramRunner(current).RunAsync(pipe.Program, pipe.Arguments, pipe.Image.ToBytes(), programs, cancel);
                if (end is { IsOk: true } || pipe.MayFail) return false;
                services.Log.ProgramFailed(store.Account.Address, pipe.Program, end?.Problem ?? "there is no such program");
                return true;
            case SieveAction.Redirect redirect:
                return !IsSent(await mail.SendAsync(redirect, current.Hostname, cancel), $"to {redirect.Address}", remarks);
            case SieveAction.Notify { Mail: { } notification }:
                IsSent(await mail.SendAsync(notification, current.Hostname, cancel), "as a notification", remarks);
                return false;
            case SieveAction.Report report:
                IsSent(await mail.SendAsync(report.Mail, current.Hostname, cancel), "as a report", remarks);
                return false;
            case SieveAction.Discard or SieveAction.Notify:
                return false;
            default:
                remarks.Add($"{action.Name} is not done on IMAP events");
                return true;
        }
    }

    private static bool IsSent(SmtpReply? refusal, string what, List<string> remarks)
    {
        if (refusal is not null) remarks.Add($"mail could not be sent {what}: {refusal}");
        return refusal is null;
    }

    private static async ValueTask RemoveAsync(IMailStore store, MailboxId mailbox, Uid uid, CancellationToken cancel)
    {
        await store.ChangeFlagsAsync(mailbox, [uid], new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, cancel);
        await store.ExpungeAsync(mailbox, [uid], cancel);
    }

    // RFC 6785 section 4.
    private static Dictionary<string, string> EnvironmentOf(MailAccount account, ImapEvent happened) => new()
    {
        ["imap.user"] = account.Address.ToString(), ["imap.email"] = account.Address.ToString(), ["imap.cause"] = happened.Cause, ["imap.mailbox"] = happened.Mailbox.Name.Value,
        ["imap.changedflags"] = string.Join(' ', happened.ChangedFlags),
        // Pigeonhole's own.
        ["vnd.dovecot.mailbox-from"] = happened.From?.Value ?? "", ["vnd.dovecot.mailbox-to"] = happened.Mailbox.Name.Value,
    };
}
