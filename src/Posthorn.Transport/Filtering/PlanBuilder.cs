using System.Text;
using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Store;
using Posthorn.Transport.Accept;

namespace Posthorn.Transport.Filtering;

/// <summary>Turns what a script decided into a delivery plan. What cannot be done as decided is done so that nothing is lost, and noted for the owner.</summary>
internal sealed class PlanBuilder(SieveServices services, SieveOptions options, DeliveryInput input, DeliveryHost host, ISieveMessage message, IReadOnlyDictionary<string, string> programEnvironment)
{
    private readonly List<PlannedCopy> _copies = [];
    private readonly List<EmailAddress> _redirects = [];
    private readonly List<PlannedMail> _mail = [];
    private readonly List<FilterNote> _notes = [];
    private SmtpReply? _rejection;
    private PlannedMail? _rejectionNotice;

    /// <summary>Lines for the owner's log.</summary>
    public List<string> Remarks { get; } = [];

    public async ValueTask<DeliveryPlan> BuildAsync(SieveResult result, CancellationToken cancel)
    {
        foreach (SieveAction action in result.Actions)
        {
            if (await TryAddAsync(action, cancel)) continue;
            // As after any error: the message as it came stays, and nothing else happens (RFC 5228 section 2.10.6).
            return DeliveryPlan.Keep;
        }
        DateTimeOffset now = services.Time.GetUtcNow();
        if (_rejection is null)
            foreach (SieveSeenId seen in result.SeenIds)
                _notes.Add(new(input.Account, FilterIds.Seen(seen.Handle, seen.Id, seen.FromLast), now + seen.Period) { OnlyIfDelivered = true });
        return new() { Copies = _copies, Redirects = _redirects, Mail = _mail, Rejection = _rejection, RejectionNotice = _rejectionNotice, Notes = _notes };
    }

    private async ValueTask<bool> TryAddAsync(SieveAction action, CancellationToken cancel)
    {
        switch (action)
        {
            case SieveAction.Keep keep: await StoreAsync(new(MailboxName.Inbox, keep.Flags), ContentOf(keep.Image), cancel); break;
            case SieveAction.FileInto file: await StoreAsync(file.Target, ContentOf(file.Image), cancel); break;
            case SieveAction.Redirect redirect: Redirect(redirect); break;
            case SieveAction.Reject reject: Reject(reject); break;
            case SieveAction.Vacation vacation: await ReplyAsync(vacation, cancel); break;
            case SieveAction.Notify notify: await NotifyAsync(notify, cancel); break;
            case SieveAction.Report report: Send(report.Mail, "report"); break;
            case SieveAction.Pipe pipe: return await PipeAsync(pipe, cancel);
            case SieveAction.Discard: break;
            default: throw new System.Diagnostics.UnreachableException();
        }
        return true;
    }

    private async ValueTask StoreAsync(SieveTarget target, PlannedContent? content, CancellationToken cancel)
    {
        (SystemFlags flags, KeywordSet keywords) = FlagWords.Read(target.Flags);
        MailboxName? found = target.MailboxId is { } id ? await host.FindByIdAsync(id, cancel) : null;
        if (found is null && target.SpecialUse is { } use) found = await host.FindByUseAsync(use, target.Mailbox, cancel);
        if (found is null && !target.Create && !target.Mailbox.IsInbox)
        {
            found = await host.FindAsync(target.Mailbox, cancel);
            if (found is null)
            {
                Remarks.Add($"the mailbox \"{target.Mailbox}\" does not exist; the message is in INBOX");
                found = MailboxName.Inbox;
            }
        }
        MailboxName mailbox = found ?? target.Mailbox;
        // Once into each mailbox, whatever names led there.
        if (content is null && _copies.FindIndex(copy => copy.Mailbox == mailbox && copy.Content is null) is >= 0 and int same)
        {
            _copies[same] = _copies[same] with { Flags = _copies[same].Flags | flags, Keywords = _copies[same].Keywords.Union(keywords) };
            return;
        }
        _copies.Add(new(mailbox, flags, keywords, target.Create) { Content = content, CreateUse = DeliveryHost.UseOf(target.SpecialUse) });
    }

    private void Redirect(SieveAction.Redirect redirect)
    {
        bool asSender = redirect.Sender == input.Envelope.From.ToString();
        if (redirect.Image.IsOriginal && asSender && redirect.Options == SieveRedirectOptions.None)
        {
            _redirects.Add(redirect.Address);
            return;
        }
        EnvelopeRecipient recipient = new EnvelopeRecipient(input.Original, NotifyOf(redirect.Options.Notify), input.OriginalRecipient).Readdressed(redirect.Address) with { IsForwarded = asSender };
        _mail.Add(new(PathOf(redirect.Sender), [recipient], ContentOf(redirect.Image), "redirect")
        {
            IsRedirect = true, By = redirect.Options.DeliverBy is { } time ? new(time, redirect.Options.ReturnWhenLate, redirect.Options.Trace) : null, Return = redirect.Options.Return switch { "FULL" => DsnReturn.Full, "HDRS" => DsnReturn.Headers, _ => DsnReturn.Unspecified },
        });
    }

    private DsnNotify NotifyOf(string? notify)
    {
        if (notify is null) return input.Notify;
        DsnNotify wanted = DsnNotify.Unspecified;
        foreach (string word in notify.Split(','))
        {
            wanted |= word.Trim().ToUpperInvariant() switch { "NEVER" => DsnNotify.Never, "SUCCESS" => DsnNotify.Success, "FAILURE" => DsnNotify.Failure, "DELAY" => DsnNotify.Delay, _ => 0 };
        }
        return wanted;
    }

    // RFC 5429 sections 2.1 and 2.2: ereject is always a reply, in ASCII; reject keeps the exact text, so one that a reply cannot say goes out as a notice.
    private void Reject(SieveAction.Reject reject)
    {
        PlannedMail? notice = reject is { IsEreject: false, Notice: { } mail } ? Planned(mail, "reject") : null;
        bool sayable = Ascii.IsValid(reject.Reason);
        if (sayable || reject.IsEreject)
        {
            (_rejection, _rejectionNotice) = (new(550, "5.7.1", sayable ? ReplyText(reject.Reason) : "The recipient's mail filter refuses this message"), notice);
            return;
        }
        if (notice is not null) _mail.Add(notice);
    }

    // Lines of a reply: no control characters, no more than a reply may have (RFC 5321 section 4.5.3.1.5).
    private static string ReplyText(string reason)
    {
        StringBuilder text = new();
        foreach (string line in reason.ReplaceLineEndings("\n").Trim('\n').Split('\n').Take(20))
        {
            if (text.Length > 0) text.Append('\n');
            for (int i = 0; i < Math.Min(line.Length, 400); i++) text.Append(char.IsControl(line[i]) ? ' ' : line[i]);
        }
        return text.Length == 0 ? "The recipient's mail filter refuses this message" : text.ToString();
    }

    private async ValueTask ReplyAsync(SieveAction.Vacation vacation, CancellationToken cancel)
    {
        if (vacation.Reply is not { } reply) return;
        byte[] id = FilterIds.Vacation(input.Envelope.From.ToString(), vacation.Handle);
        if (vacation.Period > TimeSpan.Zero)
        {
            if (await host.RemembersAsync(id, cancel)) return;
            _notes.Add(new(input.Account, id, services.Time.GetUtcNow() + vacation.Period));
        }
        Send(reply, "vacation");
        if (vacation.Copy is { } copy) await StoreAsync(copy, new(reply.Octets, null), cancel);
    }

    private async ValueTask NotifyAsync(SieveAction.Notify notify, CancellationToken cancel)
    {
        if (notify.Mail is not { } mail) return;
        Send(mail, "notify");
        if (notify.Copy is { } copy) await StoreAsync(copy, new(mail.Octets, null), cancel);
    }

    private async ValueTask<bool> PipeAsync(SieveAction.Pipe pipe, CancellationToken cancel)
    {
        ProgramEnd? end = await new ProgramRunner(options).RunAsync(pipe.Program, pipe.Arguments, pipe.Image.ToBytes(), programEnvironment, cancel);
        if (end is { IsOk: true } || pipe.MayFail) return true;
        string problem = end?.Problem ?? "there is no such program";
        services.Log.ProgramFailed(input.Account.Address, pipe.Program, problem);
        Remarks.Add($"the program \"{pipe.Program}\" failed: {problem}; the message is in INBOX");
        return false;
    }

    private void Send(SieveMail mail, string what) => _mail.Add(Planned(mail, what));

    // Mail of a filter asks for no reports: nobody waits for them (RFC 3834 section 3.3).
    private static PlannedMail Planned(SieveMail mail, string what) =>
        new(PathOf(mail.Sender), [.. mail.Recipients.Select(to => new EnvelopeRecipient(to, DsnNotify.Never, null))], new(mail.Octets, null), what);

    private PlannedContent? ContentOf(SieveImage image)
    {
        if (image.IsOriginal) return null;
        // A new header over the message as it came: the rest need not be held in memory, whatever its size.
        return ReferenceEquals(image.Base, message) ? new(image.Header, image.BodyOffset) : new(image.ToBytes(), null);
    }

    private static ReversePath PathOf(string sender) => EmailAddress.TryParse(sender, out EmailAddress address) ? ReversePath.Of(address) : ReversePath.Null;
}
