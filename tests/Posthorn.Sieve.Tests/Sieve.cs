using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Sieve.Tests.Messages;

namespace Posthorn.Sieve.Tests;

/// <summary>Short ways to compile and run scripts in tests.</summary>
internal static class Sieve
{
    public static SieveSettings Settings { get; } = SieveSettings.Default with { Disabled = new HashSet<string> { "vnd.dovecot.testsuite" }, MailboxSeparator = '.' };

    public const string MessageA = """
        Date: Tue, 1 Apr 1997 09:06:31 -0800 (PST)
        From: coyote@desert.example.org
        To: roadrunner@acme.example.com
        Subject: I have a present for you

        Look, I'm sorry about the whole anvil thing, and I really
        didn't mean to try and drop it on you from the top of the
        cliff.

        """;

    public const string MessageB = """
        From: youcouldberich!@reply-by-postal-mail.invalid
        Sender: b1ff@de.res.example.com
        To: rube@landru.example.com
        Date:  Mon, 31 Mar 1997 18:26:10 -0800
        Subject: $$$ YOU, TOO, CAN BE A MILLIONAIRE! $$$

        YOU MAY HAVE ALREADY WON TEN MILLION DOLLARS, BUT I DOUBT IT!

        """;

    public static SieveContext Context { get; } = new()
    {
        Envelope = new() { From = "coyote@desert.example.org", To = "roadrunner@acme.example.com" },
        Owner = EmailAddress.Parse("roadrunner@acme.example.com"),
        HostName = "mail.acme.example.com",
        Postmaster = "postmaster@acme.example.com",
        Parser = PlainMessage.Parse,
        Time = new FakeTimeProvider(new DateTimeOffset(2024, 3, 6, 10, 20, 30, TimeSpan.Zero)),
    };

    public static SieveCompilation Compile(string script, SieveSettings? settings = null, SieveCheckContext? check = null) =>
        SieveCompiler.Compile(Encoding.UTF8.GetBytes(script.ReplaceLineEndings("\r\n")), "test", settings ?? Settings, check);

    public static SieveScript Script(string script, SieveSettings? settings = null)
    {
        SieveCompilation compiled = Compile(script, settings);
        Assert.True(compiled.IsOk, string.Join("\n", compiled.Diagnostics));
        return compiled.Script!;
    }

    public static SieveResult Run(string script, string message = MessageA, SieveContext? context = null, SieveSettings? settings = null, FakeHost? host = null) =>
        Run([Script(script, settings)], message, context, settings, host);

    public static SieveResult Run(IReadOnlyList<SieveScript> scripts, string message = MessageA, SieveContext? context = null, SieveSettings? settings = null, FakeHost? host = null)
    {
        ValueTask<SieveResult> run = SieveInterpreter.RunAsync(scripts, PlainMessage.Of(message), context ?? Context, settings ?? Settings, host ?? new FakeHost(), TestContext.Current.CancellationToken);
        Assert.True(run.IsCompleted);
#pragma warning disable xUnit1031
        return run.AsTask().GetAwaiter().GetResult();
#pragma warning restore xUnit1031
    }

    /// <summary>The actions in short: <c>keep</c>, <c>store Spam</c>, <c>redirect a@b</c>; flags in brackets.</summary>
    public static string Actions(SieveResult result)
    {
        if (result.Error is { } error) return "error: " + error.Message;
        return string.Join("; ", result.Actions.Select(a => a switch
        {
            SieveAction.Keep keep => (keep.IsImplicit ? "implicit keep" : "keep") + Flags(keep.Flags),
            SieveAction.FileInto file => $"store {file.Target.Mailbox}{Flags(file.Target.Flags)}",
            SieveAction.Redirect redirect => $"redirect {redirect.Address}",
            SieveAction.Reject reject => $"{(reject.IsEreject ? "ereject" : "reject")} {reject.Reason.Trim()}",
            SieveAction.Vacation vacation => vacation.Reply is null ? $"vacation ({vacation.Suppressed})" : "vacation",
            SieveAction.Notify notify => notify.Suppressed is null ? $"notify {notify.Method}" : $"notify ({notify.Suppressed})",
            _ => a.Name,
        }));
    }

    public static string Actions(string script, string message = MessageA, SieveContext? context = null, SieveSettings? settings = null, FakeHost? host = null) =>
        Actions(Run(script, message, context, settings, host));

    /// <summary>Whether a test of the language holds.</summary>
    public static bool Holds(string requires, string test, string message = MessageA, SieveContext? context = null, SieveSettings? settings = null, FakeHost? host = null)
    {
        string actions = Actions($"{(requires.Length > 0 ? $"require [{requires}];" : "")}\nif {test} {{ discard; }} else {{ keep; }}", message, context, settings, host);
        Assert.True(actions is "discard" or "keep", actions);
        return actions == "discard";
    }

    private static string Flags(IReadOnlyList<string> flags) => flags.Count == 0 ? "" : $" [{string.Join(' ', flags)}]";
}

/// <summary>A host with what a test puts in.</summary>
internal sealed class FakeHost : ISieveHost
{
    public HashSet<string> Mailboxes { get; init; } = ["INBOX"];
    public Dictionary<string, string> Ids { get; init; } = [];
    public Dictionary<string, string> SpecialUses { get; init; } = [];
    public Dictionary<string, string> Metadata { get; init; } = [];
    public Dictionary<string, string[]> Lists { get; init; } = [];
    public HashSet<string> Seen { get; init; } = [];

    /// <summary>Addresses as which the owner may not send.</summary>
    public HashSet<string> NotHis { get; init; } = [];
    public Dictionary<string, string> Scripts { get; init; } = [];
    public Func<SieveQuestion.Run, SieveAnswer>? Programs { get; init; }
    public int Questions { get; private set; }

    public ValueTask<SieveAnswer> AskAsync(SieveQuestion question, CancellationToken cancel)
    {
        Questions++;
        SieveAnswer answer = question switch
        {
            SieveQuestion.MailboxExists q => new SieveAnswer.Truth(Mailboxes.Contains(q.Mailbox.Value)),
            SieveQuestion.MailboxIdExists q => new SieveAnswer.Truth(Ids.ContainsKey(q.Id)),
            SieveQuestion.SpecialUseExists q => new SieveAnswer.Truth(SpecialUses.Any(u => u.Value.Equals(q.Use, StringComparison.OrdinalIgnoreCase) && (q.Mailbox is null || u.Key == q.Mailbox.Value.Value))),
            SieveQuestion.Metadata q => new SieveAnswer.Text(Metadata.GetValueOrDefault($"{q.Mailbox?.Value}{q.Entry}")),
            SieveQuestion.ExternalList q => new SieveAnswer.List(Lists.TryGetValue(q.Name, out string[]? values) ? new(values) : null),
            SieveQuestion.WasSeen q => new SieveAnswer.Truth(Seen.Contains($"{q.Handle}|{q.Id}")),
            SieveQuestion.MaySendAs q => new SieveAnswer.Truth(!NotHis.Contains(q.Address.ToString())),
            SieveQuestion.Include q => Included((q.IsGlobal ? "global/" : "") + q.Name),
            SieveQuestion.Run q => Programs?.Invoke(q) ?? new SieveAnswer.Unavailable("no such program", false),
            _ => new SieveAnswer.Unavailable("what?"),
        };
        return ValueTask.FromResult(answer);
    }

    private SieveAnswer.Script Included(string name)
    {
        if (!Scripts.TryGetValue(name, out string? text)) return new(null);
        SieveCompilation compiled = Sieve.Compile(text);
        return compiled.Script is null ? new(null, string.Join("; ", compiled.Errors)) : new(compiled.Script);
    }
}
