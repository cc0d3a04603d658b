using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Transport.Filtering;

namespace Posthorn.Filtering;

/// <summary>Runs a draft, and the scripts as they are, over mail already received, and says what would have gone elsewhere. Nothing is changed.</summary>
internal sealed class Replayer(SieveOptions options, ScriptLibrary library, MailAccount account, IReplayMail mail, TimeProvider time)
{
    /// <summary>Messages that are listed; the rest are counted.</summary>
    private const int MostListed = 10_000;

    /// <summary>Replays; <paramref name="tell"/> hears how many messages of how many are done.</summary>
    public async Task<ReplayReport> RunAsync(SieveScript draft, DateTimeOffset since, Func<int, int, ValueTask> tell, CancellationToken cancel)
    {
        IReadOnlyList<SieveScript> active = await library.ChainAsync(account, options, _ => { }, cancel);
        List<SieveScript> fresh = Around(draft);
        HashSet<MailboxName> mailboxes = [.. await mail.MailboxesAsync(cancel)];
        ReplayHost draftHost = new(options, library, account, mailboxes), activeHost = new(options, library, account, mailboxes);
        LineCoverage coverage = new(draft);
        IReadOnlyList<ReceivedMessage> messages = await mail.ListAsync(since, cancel);
        List<ReplayedMessage> listed = [];
        int examined = 0, gone = 0, differ = 0, elsewhere = 0, failed = 0;
        foreach (ReceivedMessage message in messages)
        {
            await tell(examined + gone, messages.Count);
            if (await mail.ReadAsync(message, options.MaxBodyInMemory, cancel) is not { } octets)
            {
                gone++;
                continue;
            }
            examined++;
            ISieveMessage parsed = MimeSieveMessage.Parse(octets);
            Outcome then = await RunAsync(active, parsed, activeHost, null, cancel), now = await RunAsync(fresh, parsed, draftHost, coverage, cancel);
            coverage.EndRun();
            bool isOther = then.Text != now.Text, isElsewhere = !now.Places.Contains(message.Mailbox);
            if (isOther) differ++;
            if (isElsewhere) elsewhere++;
            if (now.Error is not null) failed++;
            if ((isOther || now.Error is not null) && listed.Count < MostListed) listed.Add(Describe(message, parsed, then, now));
        }
        await tell(messages.Count, messages.Count);
        return new(account.Address.ToString(), since, examined, gone, differ, elsewhere, failed, active.Count > 0, listed,
            [.. coverage.Times.Select(line => new ReplayedLine(line.Key, line.Value))]);
    }

    // The administrator's scripts run around the draft as they would around the owner's.
    private List<SieveScript> Around(SieveScript draft) =>
    [
        .. options.Before.Select(path => library.Administrators(path, options)).OfType<SieveScript>(),
        draft,
        .. options.After.Select(path => library.Administrators(path, options)).OfType<SieveScript>(),
    ];

    private async ValueTask<Outcome> RunAsync(IReadOnlyList<SieveScript> scripts, ISieveMessage message, ReplayHost host, LineCoverage? coverage, CancellationToken cancel)
    {
        if (scripts.Count == 0) return new("keep", [MailboxName.Inbox], ["keep (no script is active)"], null);
        SieveEnvelope envelope = SieveEnvelope.Guess(message) with { To = account.Address.ToString() };
        SieveContext context = new()
        {
            Envelope = envelope with { OriginalTo = envelope.To },
            Owner = account.Address,
            HostName = options.Hostname,
            Postmaster = options.Postmaster ?? $"postmaster@{account.Address.Domain}",
            Time = time,
            Parser = MimeSieveMessage.Parse,
            Trace = coverage,
        };
        SieveResult result = await SieveInterpreter.RunAsync(scripts, message, context, options.Language, host, cancel);
        host.Remember(result.SeenIds);
        HashSet<MailboxName> places = [.. result.Actions.Select(host.PlaceOf).OfType<MailboxName>()];
        string[] lines = [.. result.Actions.Select(action => ActionReport.Of(action).Line())];
        string text = string.Join('\n', lines.Select(line => line.Replace(" (implicit)", "", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        return new(text, places, lines, result.Error is { } error ? $"{(error.At is { } at ? $"line {at.Line}: " : "")}{error.Message}" : null);
    }

    private static ReplayedMessage Describe(ReceivedMessage message, ISieveMessage parsed, Outcome then, Outcome now)
    {
        SieveEnvelope envelope = SieveEnvelope.Guess(parsed);
        return new(message.Mailbox.ToString(), message.Received, envelope.From, Subject(parsed), then.Lines, now.Lines, now.Error);
    }

    private static string Subject(ISieveMessage message)
    {
        string header = SieveText.FromUtf8(message.Read(0, Math.Min(message.Root.BodyStart, 64 * 1024)).Span);
        int at = header.StartsWith("Subject:", StringComparison.OrdinalIgnoreCase) ? 0 : header.IndexOf("\nSubject:", StringComparison.OrdinalIgnoreCase) + 1;
        if (at == 0 && !header.StartsWith("Subject:", StringComparison.OrdinalIgnoreCase)) return "";
        int end = header.IndexOf('\n', at);
        return message.DecodeHeader(SieveText.ToUtf8(header[(at + 8)..(end < 0 ? header.Length : end)].Trim()));
    }

    private sealed record Outcome(string Text, HashSet<MailboxName> Places, IReadOnlyList<string> Lines, string? Error);
}

/// <summary>Answers scripts that are replayed: mailboxes as they are now, and what an earlier message of the same replay left to remember.</summary>
internal sealed class ReplayHost(SieveOptions options, ScriptLibrary library, MailAccount account, HashSet<MailboxName> mailboxes) : ISieveHost
{
    // As many as a replay of years has; those that were seen first go on counting.
    private const int MostRemembered = 100_000;

    private readonly HashSet<(string Handle, string Id)> _seen = [];

    public async ValueTask<SieveAnswer> AskAsync(SieveQuestion question, CancellationToken cancel) => question switch
    {
        SieveQuestion.MailboxExists q => new SieveAnswer.Truth(mailboxes.Contains(q.Mailbox)),
        SieveQuestion.MailboxIdExists or SieveQuestion.SpecialUseExists or SieveQuestion.ListExists => new SieveAnswer.Truth(false),
        SieveQuestion.Metadata or SieveQuestion.ListContains => new SieveAnswer.Text(null),
        SieveQuestion.ListMembers => new SieveAnswer.Texts(null),
        SieveQuestion.WasSeen q => new SieveAnswer.Truth(_seen.Contains((q.Handle, q.Id))),
        SieveQuestion.Include q => await library.IncludeAsync(account, q, options, cancel),
        _ => new SieveAnswer.Unavailable("programs are not run in a replay", IsTemporary: false),
    };

    public void Remember(IReadOnlyList<SieveSeenId> ids)
    {
        foreach (SieveSeenId id in ids)
            if (_seen.Count < MostRemembered) _seen.Add((id.Handle, id.Id));
    }

    /// <summary>The mailbox that an action puts the message into; null for actions that do not.</summary>
    public MailboxName? PlaceOf(SieveAction action) => action switch
    {
        SieveAction.Keep => MailboxName.Inbox,
        SieveAction.FileInto file => file.Target.Create || mailboxes.Contains(file.Target.Mailbox) ? file.Target.Mailbox : MailboxName.Inbox,
        _ => null,
    };
}
