using System.Globalization;
using Posthorn.Core;
using Posthorn.ManageSieve.Wire;
using Posthorn.Sieve;
using Posthorn.Store;

namespace Posthorn.ManageSieve.Session;

/// <summary>Checks a script as delivery would compile it, with what is known of the account: PUTSCRIPT and CHECKSCRIPT (RFC 5804 sections 2.6 and 2.12).</summary>
internal static class ScriptCheck
{
    /// <summary>NO with all errors, OK with all warnings, or plain OK.</summary>
    public static async ValueTask<Completion> RunAsync(ManageSieveSession session, byte[] script, CancellationToken cancel)
    {
        if (script.Length == 0) return Completion.No("The script is empty; SETACTIVE \"\" switches filtering off");
        SieveCheckContext context = new() { OwnerAddresses = [session.Account.Address], MailboxExists = await MailboxesAsync(session, cancel) };
        SieveCompilation compiled = SieveCompiler.Compile(script, "script", session.Options.Sieve, context);
        if (!compiled.IsOk) return Completion.No(Text(compiled.Diagnostics));
        return compiled.Diagnostics.Count == 0 ? Completion.Ok("The script is good") : Completion.Ok("WARNINGS", Text(compiled.Diagnostics));
    }

    private static string Text(IEnumerable<SieveDiagnostic> remarks) => string.Join("\r\n", remarks.Select(d => string.Create(CultureInfo.InvariantCulture,
        $"line {d.At.Line}, column {d.At.Column}: {(d.Severity == SieveSeverity.Error ? "error" : "warning")}: {d.Message}{(d.Advice is null ? "" : $" ({d.Advice})")}")));

    // Without the mail store nothing is known of mailboxes, and a script can be stored all the same.
    private static async ValueTask<Func<MailboxName, bool>?> MailboxesAsync(ManageSieveSession session, CancellationToken cancel)
    {
        Result<IMailStore> opened = await session.Services.Stores.OpenAsync(session.Account, cancel);
        if (!opened.TryGet(out IMailStore? store, out _)) return null;
        await using (store)
        {
            HashSet<MailboxName> names = [.. (await store.ListAsync(cancel)).Where(m => m.Id is not null).Select(m => m.Name)];
            return names.Contains;
        }
    }
}
