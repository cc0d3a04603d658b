using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Journal;
using Posthorn.Journal.Volume;

namespace Posthorn.Benchmarks.Parts;

/// <summary>A thousand records of 4 KiB made durable by some writers, each waiting for its own.</summary>
[MemoryDiagnoser]
public class JournalBenchmarks
{
    private const int Records = 1000;
    private readonly byte[] _message = new byte[4096];
    private string _folder = "";
    private Journal.Journal? _journal;

    [Params(1, 20, 100)]
    public int Writers { get; set; }

    [GlobalSetup]
    public async Task OpenAsync()
    {
        _folder = Directory.CreateTempSubdirectory("phb.").FullName;
        _journal = await Posthorn.Journal.Journal.OpenAsync(new() { Directory = _folder + "/journal" }, new LinuxVolume(), [], TimeProvider.System, NullLogger.Instance, CancellationToken.None);
    }

    [GlobalCleanup]
    public async Task CloseAsync()
    {
        await _journal!.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark(OperationsPerInvoke = Records)]
    public async Task AppendAsync() => await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(async () =>
    {
        for (int i = 0; i < Records / Writers; i++)
        {
            await using JournalContent content = _journal!.CreateContent();
            await content.WriteAsync(_message, CancellationToken.None);
            await content.CompleteAsync(CancellationToken.None);
            Lsn lsn = _journal.Append([new(1, 1, new byte[64])], content);
            await _journal.WhenDurableAsync(lsn);
            _journal.Applied(lsn);
        }
    })));
}
