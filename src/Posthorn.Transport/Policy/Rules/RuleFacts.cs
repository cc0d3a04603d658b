using System.Net.Sockets;
using System.Text;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Policy.Rules;

/// <summary>What rules may ask about a session at one stage.</summary>
public sealed class RuleFacts
{
    /// <summary>How long a session waits for the lists of a rule, which are asked at once. A list that is later counts nothing: the client waits for its reply meanwhile, and a dead list must not stop mail.</summary>
    private static readonly TimeSpan ListPatience = TimeSpan.FromSeconds(6);

    private readonly RuleServices _services;
    private readonly Dictionary<string, Task<AddressAnswer?>> _lists;

    internal RuleFacts(CheckContext context, CheckStage stage, RuleServices services, Dictionary<string, Task<AddressAnswer?>> lists) =>
        (Context, Stage, _services, _lists) = (context, stage, services, lists);

    public CheckContext Context { get; }
    public CheckStage Stage { get; }
    public ClientContext Client => Context.Client;

    /// <summary>Within a transaction.</summary>
    public Envelope? Envelope { get; internal init; }

    /// <summary>At RCPT the one that is asked for.</summary>
    public EnvelopeRecipient? Recipient { get; internal init; }

    /// <summary>When the message is here.</summary>
    internal MessageDraft? Draft { get; init; }

    /// <summary>Why something could not be found out for the time being; null when all could.</summary>
    internal string? Trouble { get; set; }

    /// <summary>Tables by their names.</summary>
    internal IReadOnlyList<ILookupTable> Tables(IReadOnlyList<string> names) => _services.Tables?.Find(names) ?? [];

    internal IDirectory Directory => _services.Directory;

    internal SenderRights Rights => new(_services.Directory, _services.Tables, _services.SenderLogins);

    /// <summary>The DNS list that made the condition of the rule at hand true: its name, for replies.</summary>
    internal string ListName { get; set; } = "";

    /// <summary>The recipients that are meant: the one of RCPT, or all.</summary>
    public IEnumerable<EmailAddress> Recipients => Recipient is { } one ? [one.Address] : Envelope?.Recipients.Select(recipient => recipient.Address) ?? [];

    /// <summary>The addresses under a name, as a DNS list answers; each name is asked once in a session, and waited for once.</summary>
    internal Task<AddressAnswer?> ListedAsync(string name, CancellationToken cancel)
    {
        if (!_lists.TryGetValue(name, out Task<AddressAnswer?>? asked)) _lists[name] = asked = AskListAsync(name, cancel);
        return asked;
    }

    private async Task<AddressAnswer?> AskListAsync(string name, CancellationToken cancel)
    {
        if (_services.Dns is not { } dns) return new(DnsStatus.Failed, []);
        using CancellationTokenSource late = new(ListPatience, _services.Time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try { return await dns.FindAddressesAsync(name, AddressFamily.InterNetwork, either.Token).AsTask().WaitAsync(either.Token); }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested) { return new(DnsStatus.Failed, []); }
    }

    /// <summary>Puts facts in the place of their names in braces.</summary>
    internal async ValueTask<string> FillAsync(string text, CancellationToken cancel)
    {
        StringBuilder filled = new(text);
        filled.Replace("{client}", Client.Address.ToString()).Replace("{helo}", Printable(Client.Helo)).Replace("{list}", ListName);
        filled.Replace("{sender}", Envelope?.From.ToString() ?? "").Replace("{recipient}", Recipient?.Address.ToString() ?? "");
        if (text.Contains("{client-name}", StringComparison.Ordinal)) filled.Replace("{client-name}", Printable((await Context.NameAsync(cancel)).Verified ?? "unknown"));
        string all = filled.ToString();
        return all.Length > PolicyAction.MaxText ? all[..PolicyAction.MaxText] : all;
    }

    private static string Printable(string text) => string.Concat(text.Select(c => c is > ' ' and <= '~' ? c : '?'));
}

/// <summary>What rules work with.</summary>
/// <param name="Directory">Whose addresses are whose.</param>
/// <param name="Dns">For DNS lists.</param>
public sealed record RuleServices(IDirectory Directory, IMailDns? Dns)
{
    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The tables of the configuration; null where there are none.</summary>
    public LookupTables? Tables { get; init; }

    /// <summary>Those of them that name the logins of addresses.</summary>
    public IReadOnlyList<string> SenderLogins { get; init; } = [];
}
