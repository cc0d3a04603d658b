using System.Text;
using System.Text.RegularExpressions;
using Posthorn.Net;

namespace Posthorn.Testing;

/// <summary>What a transcript is played against: a server with its stores, fresh for each playing.</summary>
public interface ITranscriptHost : IAsyncDisposable
{
    /// <summary>Sets the scene as a <c>given</c> line says.</summary>
    ValueTask GivenAsync(string text);

    /// <summary>Opens a connection, whose server side reads in pieces as the split says; the client's end.</summary>
    MemoryChannel Connect(ReadSplit serverReads);
}

/// <summary>Plays transcripts.</summary>
public static partial class TranscriptRunner
{
    /// <summary>No reply takes this long; it only ends a test that hangs.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Plays it three times, each against a fresh host: whole, byte by byte, and in random pieces.</summary>
    public static async Task PlayAsync(Transcript transcript, Func<ITranscriptHost> newHost, int seed = 20261123)
    {
        foreach (ReadSplit split in (ReadSplit[])[ReadSplit.Whole, ReadSplit.Bytes, ReadSplit.Random(seed)])
        {
            await using ITranscriptHost host = newHost();
            await new Playing(transcript, host, split).RunAsync();
        }
    }

    private sealed class Playing(Transcript transcript, ITranscriptHost host, ReadSplit split)
    {
        private readonly Dictionary<string, string> _captures = [];
        private readonly Dictionary<int, Client> _clients = [];

        public async Task RunAsync()
        {
            foreach (TranscriptStep step in transcript.Steps)
            {
                try { await PlayAsync(step).WaitAsync(Patience); }
                catch (Exception e) when (e is TimeoutException or IOException)
                {
                    Fail(step, e is TimeoutException ? "nothing came" : e.Message);
                }
            }
            foreach ((int number, Client client) in _clients)
            {
                client.Channel.CloseWriting();
                string? extra = await client.ReadLineAsync().WaitAsync(Patience);
                if (extra is not null && !extra.StartsWith("* BYE", StringComparison.Ordinal)) Fail(transcript.Steps[^1], $"after the end, connection {number} got: {extra}");
                await client.Channel.DisposeAsync();
            }
        }

        private async Task PlayAsync(TranscriptStep step)
        {
            switch (step.Kind)
            {
                case StepKind.Given:
                    await host.GivenAsync(step.Text);
                    break;
                case StepKind.Client:
                    await Get(step.Peer).Channel.SendAsync(Encoding.UTF8.GetBytes(Substitute(step.Text) + "\r\n"), default);
                    break;
                case StepKind.ClientRaw:
                    await Get(step.Peer).Channel.SendAsync(Transcript.Unescape(Substitute(step.Text)), default);
                    break;
                case StepKind.ClientCloses:
                    Get(step.Peer).Channel.CloseWriting();
                    break;
                case StepKind.Server:
                    string? line = await Get(step.Peer).ReadLineAsync();
                    if (line is null) Fail(step, "the server closed the connection");
                    else Compare(step, line);
                    break;
                case StepKind.ServerCloses:
                    string? more = await Get(step.Peer).ReadLineAsync();
                    if (more is not null) Fail(step, $"the server went on: {more}");
                    break;
            }
        }

        private Client Get(int peer)
        {
            if (!_clients.TryGetValue(peer, out Client? client)) _clients[peer] = client = new(host.Connect(split));
            return client;
        }

        private string Substitute(string text) =>
            Variable().Replace(text, m => _captures.GetValueOrDefault(m.Groups[1].Value, m.Value));

        private void Compare(TranscriptStep step, string line)
        {
            List<string> names = [];
            string pattern = Variable().Replace(Regex.Escape(step.Text).Replace(@"\$", "$", StringComparison.Ordinal), m =>
            {
                string name = m.Groups[1].Value;
                if (name == "_") return ".*";
                if (_captures.TryGetValue(name, out string? known)) return Regex.Escape(known);
                if (names.Contains(name)) return $@"\k<{name}>";
                names.Add(name);
                return $@"(?<{name}>[^\s\])]+)";
            });
            Match match = Regex.Match(line, $"^(?:{pattern})$", RegexOptions.Singleline, TimeSpan.FromSeconds(10));
            if (!match.Success) Fail(step, $"got:      {line}\nexpected: {Substitute(step.Text)}");
            foreach (string name in names) _captures[name] = match.Groups[name].Value;
        }

        private void Fail(TranscriptStep step, string what) =>
            Assert.Fail($"{transcript.Name}:{step.Line} ({split})\n{what}");
    }

    private sealed class Client(MemoryChannel channel)
    {
        private readonly List<byte> _pending = [];
        private readonly byte[] _buffer = new byte[8192];

        public MemoryChannel Channel => channel;

        /// <summary>The next line without its end; null when the server has closed.</summary>
        public async Task<string?> ReadLineAsync()
        {
            while (true)
            {
                int at = _pending.IndexOf((byte)'\n');
                if (at >= 0)
                {
                    string line = Encoding.UTF8.GetString([.. _pending[..at]]).TrimEnd('\r');
                    _pending.RemoveRange(0, at + 1);
                    return line;
                }
                int read = await channel.ReceiveAsync(_buffer, default);
                if (read == 0) return _pending.Count == 0 ? null : throw new IOException($"the server closed within a line: {Encoding.UTF8.GetString([.. _pending])}");
                _pending.AddRange(_buffer.AsSpan(0, read));
            }
        }
    }

    [GeneratedRegex(@"\$([A-Za-z_][A-Za-z0-9_]*)")]
    private static partial Regex Variable();
}
