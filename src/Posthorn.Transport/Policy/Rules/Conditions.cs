using Posthorn.Core;
using Posthorn.Transport.Accept;

namespace Posthorn.Transport.Policy.Rules;

/// <summary>The client's address is in one of these networks.</summary>
public sealed record FromNetwork(NetworkPatterns Networks) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Connect;
    public ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel) => new(Networks.Hold(facts.Client.Address));
}

/// <summary>The client's verified name in the DNS is one of these. Where the DNS does not answer nothing is known, and the rule does not count.</summary>
public sealed record FromHost(NamePatterns Names) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Connect;

    public async ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel)
    {
        ClientName name = await facts.Context.NameAsync(cancel);
        return !(name.Verified is null && name.IsTemporary) && Names.Hold(name.Verified);
    }
}

/// <summary>The name in EHLO or HELO is one of these.</summary>
public sealed record SaysHelo(NamePatterns Names) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Helo;
    public ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel) => new(Names.Hold(facts.Client.Helo));
}

/// <summary>The envelope's sender is one of these.</summary>
public sealed record FromSender(AddressPatterns Senders) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Sender;
    public ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel) => new(Senders.Hold(facts.Envelope!.From));
}

/// <summary>The recipient, at DATA any of them, is one of these.</summary>
public sealed record ToRecipient(AddressPatterns Recipients) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Recipient;

    public ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel)
    {
        foreach (EmailAddress recipient in facts.Recipients)
            if (Recipients.Hold(recipient)) return new(true);
        return new(false);
    }
}

/// <summary>The client has logged in, or has not.</summary>
public sealed record HasLoggedIn(bool Wanted) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Sender;
    public ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel) => new(facts.Client.Account is not null == Wanted);
}

/// <summary>The client has logged in as one of these accounts.</summary>
public sealed record IsAccount(AddressPatterns Accounts) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Sender;
    public ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel) => new(facts.Client.Account is { } account && Accounts.Hold(account.Address));
}

/// <summary>The client is in a network that may relay, or is not.</summary>
public sealed record IsTrusted(bool Wanted) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Connect;
    public ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel) => new(facts.Client.IsTrusted == Wanted);
}

/// <summary>The session is under TLS, or is not.</summary>
public sealed record HasTls(bool Wanted) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Sender;
    public ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel) => new(facts.Client.Tls is not null == Wanted);
}

/// <summary>The sender is an address of an account here, and the client has not logged in as one that may use it (Postfix's reject_sender_login_mismatch).</summary>
public sealed record IsLoginMismatch(bool Wanted) : IRuleCondition
{
    public CheckStage KnownAt => CheckStage.Sender;

    public async ValueTask<bool> HoldsAsync(RuleFacts facts, CancellationToken cancel)
    {
        ReversePath from = facts.Envelope!.From;
        bool? mismatch = facts.Client.Account is { } account
            ? await facts.Rights.OfAsync(account, from, cancel) switch { SenderRight.Granted => false, SenderRight.Denied => true, _ => null }
            : await facts.Rights.IsOwnedAsync(from, cancel);
        if (mismatch is null) facts.Trouble = "a table of logins cannot be read";
        return mismatch == Wanted;
    }
}
