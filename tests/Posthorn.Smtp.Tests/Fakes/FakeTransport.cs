using System.Globalization;
using Posthorn.Core;
using Posthorn.Transport;

namespace Posthorn.Smtp.Tests.Fakes;

/// <summary>A message that was taken over.</summary>
internal sealed record TakenMessage(Envelope Envelope, byte[] Content, int Pieces);

/// <summary>A transport in memory: example.org is ours; some local parts misbehave as their names say.</summary>
internal sealed class FakeTransport : IMailTransport
{
    private int _ids;
    private long _octets;

    public List<TakenMessage> Taken { get; } = [];

    /// <summary>Intakes begun and neither finished nor disposed.</summary>
    public int OpenIntakes { get; set; }

    /// <summary>Octets written by all intakes so far.</summary>
    public long Octets => Interlocked.Read(ref _octets);

    public int FailWritesAfter { get; set; } = int.MaxValue;
    public long MaxMessageSize { get; set; } = 50_000_000;

    public QueueId NewQueueId() => new(string.Create(CultureInfo.InvariantCulture, $"q{++_ids}"));

    public ValueTask<SmtpReply> AdmitSenderAsync(Envelope envelope, CancellationToken cancel)
    {
        string from = envelope.From.ToString();
        if (from.StartsWith("refused@", StringComparison.Ordinal)) return new(new SmtpReply(550, "5.7.1", "Sender refused"));
        if (from.StartsWith("crash@", StringComparison.Ordinal)) throw new InvalidOperationException("sender crash");
        return new(new SmtpReply(250, "2.1.0", "Ok"));
    }

    public ValueTask<SmtpReply> AdmitRecipientAsync(Envelope envelope, EnvelopeRecipient recipient, CancellationToken cancel)
    {
        bool local = recipient.Address.Domain.Ascii is "example.org" or "[192.0.2.1]" or "xn--bcher-kva.example";
        bool relays = envelope.Client.Account is not null || (envelope.Client.IsTrusted && envelope.Client.Role == ListenerRole.Mx);
        if (!local && !relays) return new(new SmtpReply(554, "5.7.1", "Relay access denied"));
        return new(recipient.Address.LocalPart switch
        {
            var name when local && (name.StartsWith("nobody", StringComparison.Ordinal) || name.ContainsAny(['@', '%', '!'])) => new SmtpReply(550, "5.1.1", "No such user here"),
            "full" => new SmtpReply(452, "4.2.2", "Mailbox full"),
            "crash" => throw new InvalidOperationException("recipient crash"),
            _ => new SmtpReply(250, "2.1.5", "Ok"),
        });
    }

    /// <summary>What the transport was told of refused and lost messages.</summary>
    public List<string> Noted { get; } = [];

    public void NoteRefusal(Envelope envelope, EnvelopeRecipient? recipient, SmtpReply reply) => Noted.Add($"<{envelope.From}>{(recipient is null ? "" : $" <{recipient.Address}>")} {reply.Code} {reply.Status}");

    public void NoteLoss(Envelope envelope, long octets) => Noted.Add(string.Create(CultureInfo.InvariantCulture, $"<{envelope.From}> {string.Join(' ', envelope.Recipients.Select(to => $"<{to.Address}>"))} lost after {octets}"));

    public IMessageIntake Begin(Envelope envelope)
    {
        OpenIntakes++;
        return new Intake(this, envelope);
    }

    private sealed class Intake(FakeTransport transport, Envelope envelope) : IMessageIntake
    {
        private readonly MemoryStream _content = new();
        private int _pieces;
        private bool _over;

        public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
        {
            Assert.False(_over, "written to after its end");
            if (_content.Length >= transport.FailWritesAfter) throw new IOException("disk broken");
            _content.Write(bytes.Span);
            _pieces++;
            Interlocked.Add(ref transport._octets, bytes.Length);
            return ValueTask.CompletedTask;
        }

        public ValueTask<AcceptOutcome> FinishAsync(CancellationToken cancel)
        {
            Assert.False(_over, "finished twice");
            Over();
            List<SmtpReply> replies = [];
            foreach (EnvelopeRecipient recipient in envelope.Recipients)
            {
                replies.Add(recipient.Address.LocalPart switch
                {
                    "quota" => new(552, "5.2.2", "Over quota"),
                    "broken" => throw new IOException("disk broken"),
                    _ => new(250, "2.0.0", $"Ok: {recipient.Address} {envelope.Id}"),
                });
            }
            transport.Taken.Add(new(envelope, _content.ToArray(), _pieces));
            SmtpReply overall = replies.Exists(r => r.IsPositive) ? new(250, "2.0.0", $"Ok: queued as {envelope.Id}") : replies[0];
            return new(new AcceptOutcome(overall, replies));
        }

        public ValueTask DisposeAsync()
        {
            Over();
            return ValueTask.CompletedTask;
        }

        private void Over()
        {
            if (!_over) transport.OpenIntakes--;
            _over = true;
        }
    }
}
