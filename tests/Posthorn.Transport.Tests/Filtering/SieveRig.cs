using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Sieve;
using Posthorn.Store.Scripts;
using Posthorn.Testing;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Filtering;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>A transport whose accounts have scripts: the mail in memory, the scripts in a folder.</summary>
internal sealed class SieveRig : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public SieveRig(Func<SieveRig, SieveOptions>? options = null, TransportOptions? transport = null)
    {
        Options = options?.Invoke(this) ?? Plain;
        Rig = new(transport, makePlanner: rig =>
        {
            Scripts = new(Options.Scripts, new LinuxVolume(), rig.Time);
            Services = new(rig.Stores, Scripts, new LinuxVolume(), rig.Time, NullLogger.Instance);
            return Planner = new(Options, Services, new InboxPlanner(false, '.'));
        });
        Services.MaySendAs = Rig.Transport.MaySendAsAsync;
        Rig.Directory.MoveHomes(_folder.Path);
    }

    public static SieveOptions Plain { get; } = new() { Hostname = "mail.example.org", Language = SieveSettings.Default with { MailboxSeparator = '.' } };

    public TransportRig Rig { get; }
    public SieveOptions Options { get; }
    public FileScriptStore Scripts { get; private set; } = null!;
    public SieveServices Services { get; private set; } = null!;
    public SievePlanner Planner { get; private set; } = null!;
    public MailAccount Ann => Rig.Directory.FindAccount(Rig.Ann.Address)!;
    public MailAccount Bob => Rig.Directory.FindAccount(Rig.Bob.Address)!;

    public string Write(string path, string text) => _folder.Write(path, text);

    public string PathOf(string path) => Path.Combine(_folder.Path, path);

    /// <summary>Makes a script the active one of an account.</summary>
    public async Task ScriptAsync(MailAccount account, string text, string name = "main", bool activate = true)
    {
        _ = ScriptName.TryCreate(name, out ScriptName script);
        Assert.True((await Scripts.PutAsync(account, script, Encoding.UTF8.GetBytes(text), default)).IsOk);
        if (activate) Assert.True((await Scripts.ActivateAsync(account, script, default)).IsOk);
    }

    public Task<AcceptOutcome> SendAsync(string message, params string[] recipients) => SendAsync(TransportRig.Stranger, "eve@example.net", message, recipients);

    public async Task<AcceptOutcome> SendAsync(ClientContext client, string from, string message, params string[] recipients) =>
        await Rig.SendAsync(Rig.Envelope(client, from, recipients.Length == 0 ? ["ann@example.org"] : recipients), message);

    public Task<IReadOnlyList<string>> MailAsync(string mailbox = "INBOX") => Rig.MailAsync(Ann, mailbox);

    public IReadOnlyList<QueueEntry> Queued => Rig.Queued;

    public string OwnerLog => File.Exists($"{Ann.Home}/.dovecot.sieve.log") ? File.ReadAllText($"{Ann.Home}/.dovecot.sieve.log") : "";

    public void Dispose()
    {
        Rig.Dispose();
        _folder.Dispose();
    }
}
