using System.Globalization;
using Posthorn.Transport.Policy;

namespace Posthorn.Transport.Tests.Policy;

/// <summary>A check that says what a test wants, and writes down what it was asked.</summary>
internal sealed class ScriptedCheck(string name, List<string> asked) : ISessionCheck, ICheckSource
{
    public Dictionary<CheckStage, Func<CheckContext, MessageDraft?, Verdict>> Says { get; } = [];

    public ISessionCheck Open(ClientContext client) => this;

    public ValueTask<Verdict> ConnectAsync(CheckContext context, CancellationToken cancel) => Say(CheckStage.Connect, "", context);
    public ValueTask<Verdict> HeloAsync(CheckContext context, CancellationToken cancel) => Say(CheckStage.Helo, context.Client.Helo, context);
    public ValueTask<Verdict> SenderAsync(CheckContext context, Envelope envelope, CancellationToken cancel) => Say(CheckStage.Sender, envelope.From.ToString(), context);

    public ValueTask<Verdict> RecipientAsync(CheckContext context, Envelope envelope, EnvelopeRecipient recipient, CancellationToken cancel) =>
        Say(CheckStage.Recipient, recipient.Address.ToString(), context);

    public ValueTask RecipientRefusedAsync(CheckContext context, Envelope envelope, EnvelopeRecipient recipient, SmtpReply reply, CancellationToken cancel)
    {
        asked.Add(string.Create(CultureInfo.InvariantCulture, $"{name} refused {recipient.Address} {reply.Code}"));
        return ValueTask.CompletedTask;
    }

    public ValueTask<Verdict> DataAsync(CheckContext context, Envelope envelope, CancellationToken cancel) =>
        Say(CheckStage.Data, envelope.Recipients.Count.ToString(CultureInfo.InvariantCulture), context);

    public ValueTask<Verdict> MessageAsync(CheckContext context, MessageDraft draft, CancellationToken cancel) => Say(CheckStage.Message, "", context, draft);

    public ValueTask<Verdict> UnknownAsync(CheckContext context, ReadOnlyMemory<byte> line, CancellationToken cancel)
    {
        asked.Add($"{name} unknown {System.Text.Encoding.ASCII.GetString(line.Span)}");
        return new(Verdict.Continue);
    }

    public ValueTask AbortAsync(CheckContext context, CancellationToken cancel)
    {
        asked.Add($"{name} abort");
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        asked.Add($"{name} quit");
        return ValueTask.CompletedTask;
    }

    private ValueTask<Verdict> Say(CheckStage stage, string what, CheckContext context, MessageDraft? draft = null)
    {
        asked.Add($"{name} {stage} {what}".ToLowerInvariant().TrimEnd());
        return new(Says.TryGetValue(stage, out Func<CheckContext, MessageDraft?, Verdict>? say) ? say(context, draft) : Verdict.Continue);
    }
}
