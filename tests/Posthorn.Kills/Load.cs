using System.Net.Sockets;

namespace Posthorn.Kills;

/// <summary>What the workers of one round share.</summary>
internal sealed record Load(PosthornProcess Server, Ledger Ledger, SinkLedger Sink, int Seed, int Round)
{
    private volatile bool _ending;

    /// <summary>The server is about to be ended: lost connections are no surprise any more.</summary>
    public bool IsEnding
    {
        get => _ending;
        set => _ending = value;
    }

    public int Port(string listener) => Server.Port(listener);

    /// <summary>The same for the same seed, round and worker.</summary>
    public Random RandomFor(int worker) => new(unchecked((Seed * 7919 + Round) * 104729 + worker));

    /// <summary>Runs one worker until the server is gone. If it goes before its end the ledger hears of it.</summary>
    public async Task RunAsync(string name, Func<Task> work)
    {
        try
        {
            while (!IsEnding) await work();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            if (!IsEnding) Ledger.SayLie($"round {Round}: {name} lost its connection before the kill: {e.Message}");
        }
        catch (TimeoutException) { Ledger.SayLie($"round {Round}: {name} got no answer for a minute"); }
    }
}
