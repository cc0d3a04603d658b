using Posthorn.Sieve;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Filtering;

/// <summary>Runs the scripts of an account over a message that comes in. Nothing happens while it does: the result becomes part of the message's own record.</summary>
public sealed class SievePlanner(SieveOptions options, SieveServices services, IDeliveryPlanner otherwise) : IDeliveryPlanner
{
    private const string Unusable = "unusable";

    private volatile SieveOptions _options = options;

    /// <summary>The settings; a reload replaces them as a whole.</summary>
    public SieveOptions Options
    {
        get => _options;
        set => _options = value;
    }

    public async ValueTask<DeliveryPlan> PlanAsync(DeliveryInput input, CancellationToken cancel)
    {
        SieveOptions current = _options;
        List<string> complaints = [];
        ScriptChain chain;
        try
        {
            chain = await services.Library.ChainAsync(input.Account, current, complaints.Add, cancel);
        }
        catch (IOException e)
        {
            // The script cannot be read, so nobody knows what it would say: the message stays, where its owner looks first.
            services.Log.ScriptTrouble(e, input.Envelope.Id, input.Account.Address);
            return DeliveryPlan.Keep;
        }
        Tell(input, current, complaints);
        if (chain.Scripts.Count > 0) return await RunAsync(input, current, chain, cancel);
        // What its owner wrote does not run, and the message goes where it would without: nobody should take that for the script's word.
        if (chain.IsOwnUnusable) Report(input, "keep", "keep", Unusable);
        return await otherwise.PlanAsync(input, cancel);
    }

    private async ValueTask<DeliveryPlan> RunAsync(DeliveryInput input, SieveOptions current, ScriptChain chain, CancellationToken cancel)
    {
        SinkMessage message = new(input.Content.Read, input.Size, current.MaxBodyInMemory);
        Dictionary<string, string> environment = ProgramEnvironment(input, current);
        await using DeliveryHost host = new(services, current, input.Account, environment);
        SieveResult result = await SieveInterpreter.RunAsync(chain.Scripts, message, ContextFor(input, current), current.Language, host, cancel);
        List<string> remarks = [.. result.Notes.Select(note => note.At is { } at ? $"line {at.Line}: {note.Text}" : note.Text)];
        if (result.Error is { } error) remarks.Add($"error{(error.At is { } where ? $" in line {where.Line}" : "")}: {error.Message}; the message is in INBOX");
        PlanBuilder builder = new(services, current, input, host, message, environment);
        DeliveryPlan plan;
        try
        {
            plan = await builder.BuildAsync(result, cancel);
        }
        catch (IOException e)
        {
            services.Log.ScriptTrouble(e, input.Envelope.Id, input.Account.Address);
            plan = DeliveryPlan.Keep;
        }
        Tell(input, current, [.. remarks, .. builder.Remarks]);
        string actions = string.Join(' ', result.Actions.Select(action => action.Name));
        Report(input, actions, Told(result, actions), !result.IsOk ? "failed" : chain.IsOwnUnusable ? Unusable : "ok");
        return plan with { Hold = host.TakeTurn() };
    }

    private void Report(DeliveryInput input, string actions, string told, string status)
    {
        services.Log.Filtered(input.Envelope.Id, input.Account.Address, actions, status);
        if (services.Trace.IsOn) services.Trace.Tell(new TraceEvent.Filtered(input.LifeOf ?? input.Envelope.Id, input.Account.Address, told, status));
    }

    private void Tell(DeliveryInput input, SieveOptions current, List<string> lines)
    {
        if (lines.Count == 0 || services.OwnerLog.TryWrite(input.Account, lines, current.OwnerLogSize)) return;
        services.Log.ScriptRemark(input.Envelope.Id, input.Account.Address, lines[0]);
    }

    private SieveContext ContextFor(DeliveryInput input, SieveOptions current)
    {
        Dictionary<string, string> environment = [];
        if (input.Envelope.Client is { } client) environment["remote-ip"] = client.ToString();
        return new()
        {
            Envelope = new()
            {
                From = input.Envelope.From.ToString(),
                To = input.Recipient.ToString(),
                OriginalTo = input.Original.ToString(),
                Auth = input.Envelope.Author?.ToString(),
                Notify = Words(input.Notify),
                OriginalRecipient = input.OriginalRecipient,
                Return = input.Envelope.Return switch { DsnReturn.Full => "FULL", DsnReturn.Headers => "HDRS", _ => null },
                EnvelopeId = input.Envelope.EnvelopeId,
                DeliverBySeconds = input.Envelope.By?.SecondsLeft(services.Time.GetUtcNow()),
                DeliverByReturn = input.Envelope.By is { Return: true },
                DeliverByTrace = input.Envelope.By is { Trace: true },
            },
            Owner = input.Account.Address,
            HostName = current.Hostname,
            Postmaster = current.Postmaster ?? $"postmaster@{input.Account.Address.Domain}",
            DeliveryId = input.Envelope.Id.Value,
            Time = services.Time,
            Environment = environment,
            Parser = MimeSieveMessage.Parse,
        };
    }

    // With the mailboxes and addresses that the script chose.
    private static string Told(SieveResult result, string otherwise) => result.Actions.Count == 0 ? otherwise : string.Join("; ", result.Actions.Select(action => action switch
    {
        SieveAction.FileInto file => $"fileinto {file.Target.Mailbox}",
        SieveAction.Redirect redirect => $"redirect {redirect.Address}",
        _ => action.Name,
    }));

    private static IReadOnlyList<string> Words(DsnNotify notify) =>
        notify == DsnNotify.Unspecified ? [] : [.. Enum.GetValues<DsnNotify>().Where(one => one != DsnNotify.Unspecified && notify.HasFlag(one)).Select(one => one.ToString().ToUpperInvariant())];

    // What Pigeonhole gives programs, and nothing of our own environment.
    private static Dictionary<string, string> ProgramEnvironment(DeliveryInput input, SieveOptions current) => new()
    {
        ["PATH"] = "/usr/local/bin:/usr/bin:/bin", ["HOME"] = input.Account.Home, ["USER"] = input.Account.Address.ToString(), ["HOST"] = current.Hostname,
        ["SENDER"] = input.Envelope.From.ToString(), ["RECIPIENT"] = input.Recipient.ToString(), ["ORIG_RECIPIENT"] = input.Original.ToString(),
    };
}
