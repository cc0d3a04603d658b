using Posthorn.Core;
using Posthorn.Sieve;
using Posthorn.Transport.Filtering;

namespace Posthorn.Filtering;

/// <summary>Runs a draft, and the scripts as they are, over mail already received, and says what would have gone elsewhere. Nothing is changed.</summary>
internal sealed class Replayer(SieveOptions options, ScriptLibrary library, ListFiles lists, MailAccount account, IReplayMail mail, TimeProvider time)
{
    /// <summary>Messages that are listed; the rest are counted.</summary>
    private const int MostListed = 10_000;

    /// <summary>Replays; <paramref name="tell"/> hears how many messages of how many are done.</summary>
    public async Task<ReplayReport> RunAsync(SieveScript draft, DateTimeOffset since, Func<int, int, ValueTask> tell, CancellationToken cancel)
    {
        IReadOnlyList<SieveScript> active = (await library.ChainAsync(account, options, _ => { }, cancel)).Scripts;
        List<SieveScript> fresh = Around(draft, options, library);
        AccountView view = new(account, await mail.MailboxesAsync(cancel), options, library, lists);
        ReplayHost draftHost = new(view), activeHost = new(view);
        LineCoverage coverage = new(draft);
        IReadOnlyList<ReceivedMessage> messages = await mail.ListAsync(since, cancel);
        List<ReplayedMessage> listed = [];
        int examined = 0, gone = 0, differ = 0, elsewhere = 0, failed = 0, guessed = 0;
        foreach (ReceivedMessage message in messages)
        {
            await tell(examined + gone, messages.Count);
            if (await mail.ReadAsync(message, options.MaxBodyInMemory, cancel) is not { } octets)
            {
                gone++;
                continue;
            }
            examined++;
            StoredEnvelope envelope = StoredEnvelope.Guess(octets, account);
            if (envelope.IsGuess) guessed++;
            ISieveMessage parsed = MimeSieveMessage.Parse(envelope.AsItCame);
            Outcome then = await RunAsync(active, parsed, envelope.Envelope, message.Received, activeHost, null, cancel);
            Outcome now = await RunAsync(fresh, parsed, envelope.Envelope, message.Received, draftHost, coverage, cancel);
            coverage.EndRun();
            bool isOther = then.Text != now.Text, isElsewhere = !now.Places.Contains(message.Mailbox);
            if (isOther) differ++;
            if (isElsewhere) elsewhere++;
            if (now.Error is not null) failed++;
            if ((isOther || now.Error is not null) && listed.Count < MostListed)
                listed.Add(new(message.Mailbox.ToString(), message.Received, envelope.Envelope.From, Subject(parsed), then.Lines, now.Lines, now.Error));
        }
        await tell(messages.Count, messages.Count);
        List<string> limits = [.. mail.Limits, .. draftHost.Limits.Union(activeHost.Limits)];
        if (guessed > 0) limits.Add($"of {guessed} {(guessed == 1 ? "message" : "messages")} no line tells the envelope: sender and recipient are taken from the header");
        return new(account.Address.ToString(), since, examined, gone, differ, elsewhere, failed, active.Count > 0, listed, [.. coverage.Times.Select(line => new ReplayedLine(line.Key, line.Value))], limits);
    }

    /// <summary>A script with the administrator's around it, as they run around the owner's.</summary>
    public static List<SieveScript> Around(SieveScript script, SieveOptions options, ScriptLibrary library) =>
    [
        .. options.Before.Select(path => library.Administrators(path, options)).OfType<SieveScript>(),
        script,
        .. options.After.Select(path => library.Administrators(path, options)).OfType<SieveScript>(),
    ];

    private async ValueTask<Outcome> RunAsync(IReadOnlyList<SieveScript> scripts, ISieveMessage message, SieveEnvelope envelope, DateTimeOffset received, ReplayHost host, LineCoverage? coverage, CancellationToken cancel)
    {
        if (scripts.Count == 0) return new("keep", [MailboxName.Inbox], ["keep (no script is active)"], null);
        host.Now = received;
        SieveContext context = new()
        {
            Envelope = envelope,
            Owner = account.Address,
            HostName = options.Hostname,
            Postmaster = options.Postmaster ?? $"postmaster@{account.Address.Domain}",
            // A test of the date is of the day when the message came.
            Time = new MomentTime(time, received),
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

/// <summary>Answers scripts that are replayed: the account as it is now, and what an earlier message of the same replay left to remember.</summary>
internal sealed class ReplayHost(AccountView view) : ISieveHost
{
    // As many as a replay of years has; those that were seen first go on counting.
    private const int MostRemembered = 100_000;

    private readonly Dictionary<(string Handle, string Id), DateTimeOffset> _seen = [];
    private readonly HashSet<string> _limits = [];

    /// <summary>When the message came that is looked at.</summary>
    public DateTimeOffset Now { get; set; }

    /// <summary>What was asked and cannot be known or done.</summary>
    public IReadOnlyCollection<string> Limits => _limits;

    public async ValueTask<SieveAnswer> AskAsync(SieveQuestion question, CancellationToken cancel)
    {
        if (await view.AnswerAsync(question, cancel) is { } answer) return answer;
        switch (question)
        {
            case SieveQuestion.WasSeen seen:
                _limits.Add("'duplicate' knows only what this replay itself has seen");
                return new SieveAnswer.Truth(_seen.TryGetValue((seen.Handle, seen.Id), out DateTimeOffset until) && until > Now);
            case SieveQuestion.Metadata:
                _limits.Add("annotations are not looked at: none counts as set");
                return new SieveAnswer.Text(null);
            case SieveQuestion.MaySendAs:
                _limits.Add("whether the owner may send as what ':from' names is not looked at: he may");
                return new SieveAnswer.Truth(true);
            default:
                _limits.Add("programs are not run: a script that wants one fails, and the message is kept");
                return new SieveAnswer.Unavailable("programs are not run in a replay", IsTemporary: false);
        }
    }

    public void Remember(IReadOnlyList<SieveSeenId> ids)
    {
        foreach (SieveSeenId id in ids)
            if (_seen.Count < MostRemembered || _seen.ContainsKey((id.Handle, id.Id))) _seen[(id.Handle, id.Id)] = Now + id.Period;
    }

    /// <summary>The mailbox that an action puts the message into; null for actions that do not.</summary>
    public MailboxName? PlaceOf(SieveAction action)
    {
        if (action is SieveAction.Vacation) _limits.Add("whom 'vacation' has answered before is not looked at: each message counts as the first of its sender");
        return action switch
        {
            SieveAction.Keep => MailboxName.Inbox,
            SieveAction.FileInto file => view.PlaceOf(file.Target),
            _ => null,
        };
    }
}
