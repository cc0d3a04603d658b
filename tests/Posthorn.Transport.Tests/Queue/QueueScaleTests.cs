using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>Runs when nothing else does, since memory is counted for the whole process.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;

/// <summary>A long queue on a real disk starts and lists quickly. The bounds are wide: they catch what grows faster than the queue.</summary>
[Collection("alone")]
public sealed class QueueScaleTests : IDisposable
{
    private const int Messages = 20_000;
    private readonly DirectoryInfo _folder = System.IO.Directory.CreateTempSubdirectory("posthorn-scale-");

    [Fact]
    public void Twenty_thousand_messages_load_and_list_in_seconds()
    {
        string directory = Path.Combine(_folder.FullName, "queue");
        QueueSpool spool = new(new LinuxVolume(), directory, NullLogger.Instance);
        Assert.Empty(spool.Load());
        QueueIds ids = new(TimeProvider.System);
        QueueEntryState state = new(false, false, 3, TimeProvider.System.GetUtcNow(), []);
        for (int i = 0; i < Messages; i++)
        {
            QueueMessage message = new()
            {
                Id = ids.Next(), Arrived = TimeProvider.System.GetUtcNow(), From = ReversePath.Of(EmailAddress.Parse($"u{i % 50}@example.org")), Origin = $"u{i % 50}", Size = 500,
                Recipients = [new(EmailAddress.Parse($"x{i}@d{i % 1000}.example"), DsnNotify.Unspecified, null)],
            };
            spool.Write(message, state, new BytesContent(new byte[500]));
            string path = Path.Combine(directory, message.Id.Value[^2..], message.Id.Value);
            File.Move(path + ".tmp", path);
        }
        long before = GC.GetTotalMemory(true);
        Stopwatch watch = Stopwatch.StartNew();
        MailQueue queue = MailQueue.Load(new LinuxVolume(), directory, new(), TimeProvider.System, NullLogger.Instance);
        TimeSpan load = watch.Elapsed;
        long each = (GC.GetTotalMemory(true) - before) / Messages;
        watch.Restart();
        QueueControl control = new(queue, TimeProvider.System);
        IReadOnlyList<QueuedMessage> all = control.List(new());
        TimeSpan list = watch.Elapsed;
        TestContext.Current.SendDiagnosticMessage($"{Messages} messages: load {load.TotalMilliseconds:F0} ms, list {list.TotalMilliseconds:F0} ms, {each} bytes each");
        Assert.Equal(Messages, all.Count);
        Assert.Equal(1000, control.Totals().Count);
        Assert.True(load < TimeSpan.FromSeconds(10), $"load took {load}");
        Assert.True(list < TimeSpan.FromSeconds(2), $"list took {list}");
        Assert.True(each < 3000, $"{each} bytes for each message");
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
