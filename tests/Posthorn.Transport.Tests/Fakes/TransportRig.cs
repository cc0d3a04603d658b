using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Journal.Volume;
using Posthorn.Store;
using Posthorn.Testing.Stores;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Tests.Fakes;

/// <summary>A whole transport over a store in memory, for <c>example.org</c> with the accounts ann and bob.</summary>
internal sealed class TransportRig : IDisposable
{
    private readonly DirectoryInfo _folder = System.IO.Directory.CreateTempSubdirectory("posthorn-queue-");

    public TransportRig(TransportOptions? options = null, IDeliveryPlanner? planner = null, Func<TransportRig, IDeliveryPlanner>? makePlanner = null, LookupTables? tables = null)
    {
        Options = options ?? new() { Hostname = "mail.example.org", OwnEndPoints = [new(IPAddress.Parse("192.0.2.1"), 25)] };
        Ann = Directory.AddAccount("ann@example.org");
        Bob = Directory.AddAccount("bob@example.org");
        Time.SetLocalTimeZone(TimeZoneInfo.CreateCustomTimeZone("t", TimeSpan.FromHours(2), "t", "t"));
        Stores = new(new MemoryMailStores(Time), Journal);
        Queue = MailQueue.Load(new LinuxVolume(), Path.Combine(_folder.FullName, "queue"), Options.Queue, Time, NullLogger.Instance);
        Queue.Connect(Journal);
        Services = new()
        {
            Tables = tables, Directory = Directory, Stores = Stores, Queue = Queue, Planner = planner ?? makePlanner?.Invoke(this) ?? new InboxPlanner(Options.DetailToFolder, '.'), Time = Time, Log = NullLogger.Instance,
        };
        Transport = new(Options, Services);
    }

    public FakeTimeProvider Time { get; } = new(new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    public FakeDirectory Directory { get; } = new();
    public FakeJournal Journal { get; } = new();
    public TransportOptions Options { get; }
    public MailAccount Ann { get; }
    public MailAccount Bob { get; }
    public RecordingStores Stores { get; }
    public MailQueue Queue { get; }
    public TransportServices Services { get; }
    public MailTransport Transport { get; }

    public static ClientContext Stranger { get; } = new()
    {
        Session = new("s1"), Role = ListenerRole.Mx, Listener = "smtp", Address = IPAddress.Parse("198.51.100.7"), Helo = "client.example.net", IsExtended = true, IsTrusted = false,
    };

    public ClientContext User => Stranger with { Role = ListenerRole.Submission, Listener = "submission", Account = Ann };
    public static ClientContext Trusted => Stranger with { IsTrusted = true };
    public static ClientContext Lmtp => Stranger with { Role = ListenerRole.Lmtp, Listener = "lmtp", Address = IPAddress.Loopback };

    public Envelope Envelope(ClientContext client, string from, params string[] recipients)
    {
        Envelope envelope = new() { Id = Transport.NewQueueId(), Client = client, From = from.Length == 0 ? ReversePath.Null : ReversePath.Of(EmailAddress.Parse(from)) };
        foreach (string recipient in recipients) envelope.Recipients.Add(new(EmailAddress.Parse(recipient), DsnNotify.Unspecified, null));
        return envelope;
    }

    public async Task<AcceptOutcome> SendAsync(Envelope envelope, string message, int piece = int.MaxValue)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(message.ReplaceLineEndings("\r\n"));
        await using IMessageIntake intake = Transport.Begin(envelope);
        for (int at = 0; at < bytes.Length; at += Math.Min(piece, bytes.Length)) await intake.WriteAsync(bytes.AsMemory(at, Math.Min(piece, bytes.Length - at)), default);
        return await intake.FinishAsync(default);
    }

    public async Task<SmtpReply> RcptAsync(ClientContext client, string recipient, string from = "x@example.net") =>
        await Transport.AdmitRecipientAsync(Envelope(client, from), new(EmailAddress.Parse(recipient), DsnNotify.Unspecified, null), default);

    /// <summary>The messages in a mailbox, as text.</summary>
    public async Task<IReadOnlyList<string>> MailAsync(MailAccount account, string mailbox = "INBOX")
    {
        await using IMailStore store = (await Stores.OpenAsync(account, default)).Value;
        _ = MailboxName.TryCreate(mailbox, store.Separator, out MailboxName name);
        Result<IMailbox> opened = await store.OpenMailboxAsync(name, true, default);
        if (!opened.IsOk) return [];
        await using IMailbox box = opened.Value;
        List<string> messages = [];
        for (int i = 0; i < box.Current.Count; i++)
        {
            await using IMessageContent content = (await store.OpenContentAsync(box.Info.Id!.Value, box.Current[i].Uid, default)).Value;
            messages.Add(Text(content));
        }
        return messages;
    }

    /// <summary>What waits in the queue, oldest first.</summary>
    public IReadOnlyList<QueueEntry> Queued => Queue.Read((entries, _) => entries.Values.OrderBy(entry => entry.Message.Id.Value, StringComparer.Ordinal).ToArray());

    public string ContentOf(QueueEntry entry) => Text(Queue.OpenContent(entry)!);

    public void Dispose() => _folder.Delete(recursive: true);

    private static string Text(IMessageContent content)
    {
        byte[] bytes = new byte[content.Length];
        for (int at = 0; at < bytes.Length;) at += content.Read(at, bytes.AsSpan(at));
        return Encoding.Latin1.GetString(bytes);
    }
}
