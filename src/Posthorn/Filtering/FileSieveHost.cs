using Posthorn.Sieve;

namespace Posthorn.Filtering;

/// <summary>Answers scripts that are run by hand. Without an account, included scripts lie beside the script, mailboxes are those named, and nothing has happened before.</summary>
internal sealed class FileSieveHost(string scriptFolder, string? globalFolder, IReadOnlyCollection<string> mailboxes, SieveSettings settings, AccountView? view) : ISieveHost
{
    private readonly List<string> _assumed = [];

    /// <summary>What was answered by assumption, for the reader.</summary>
    public IReadOnlyList<string> Assumed => _assumed;

    public async ValueTask<SieveAnswer> AskAsync(SieveQuestion question, CancellationToken cancel)
    {
        if (question is SieveQuestion.MailboxExists named && mailboxes.Contains(named.Mailbox.Value)) return new SieveAnswer.Truth(true);
        // What lies beside the script is tried first: it may be a draft of several scripts.
        if (question is SieveQuestion.Include include && Include(include) is { } found) return found;
        if (view is not null && await view.AnswerAsync(question, cancel) is { } answer) return answer;
        return question switch
        {
            SieveQuestion.MailboxExists q => new SieveAnswer.Truth(q.Mailbox.IsInbox || !Assume($"mailbox \"{q.Mailbox}\" does not exist (--mailbox says that it does)")),
            SieveQuestion.MailboxIdExists q => new SieveAnswer.Truth(!Assume($"no mailbox has the id {q.Id}")),
            SieveQuestion.SpecialUseExists q => new SieveAnswer.Truth(!Assume($"no mailbox has the special use {q.Use}")),
            SieveQuestion.Metadata q => new SieveAnswer.Text(Assume($"{q.Entry} is not set") ? null : ""),
            SieveQuestion.ExternalList { Name: SieveExternalList.DefaultAddressBook } => new SieveAnswer.List(Assume("the address book is empty") ? new([]) : null),
            SieveQuestion.ExternalList q => new SieveAnswer.List(Assume($"there is no list {q.Name}") ? null : new([])),
            SieveQuestion.WasSeen q => new SieveAnswer.Truth(!Assume($"\"{q.Id}\" was not seen before")),
            SieveQuestion.MaySendAs q => new SieveAnswer.Truth(Assume($"the owner may send as {q.Address}")),
            SieveQuestion.Include => new SieveAnswer.Script(null),
            SieveQuestion.Run q => new SieveAnswer.Unavailable($"programs are not run here, and the script wants \"{q.Program}\"", false),
            _ => new SieveAnswer.Unavailable("this cannot be known without an account", false),
        };
    }

    private bool Assume(string what)
    {
        if (!_assumed.Contains(what)) _assumed.Add(what);
        return true;
    }

    private SieveAnswer.Script? Include(SieveQuestion.Include include)
    {
        string? folder = include.IsGlobal ? globalFolder : scriptFolder;
        if (folder is null || include.Name.Contains('/', StringComparison.Ordinal) || include.Name.Length == 0) return null;
        string file = Path.Combine(folder, include.Name + ".sieve");
        if (!File.Exists(file)) return null;
        if (!ScriptFile.TryRead(file, out byte[] octets, out string? problem)) return new(null, problem);
        SieveCompilation compiled = SieveCompiler.Compile(octets, include.Name, settings);
        return compiled.Script is { } script ? new(script) : new(null, string.Join("; ", compiled.Errors));
    }
}
