using System.Net;
using Posthorn.Net;
using Posthorn.Transport;

namespace Posthorn.Smtp.Session;

/// <summary>Holds a session to what its address may do over all its sessions. Servers behind us and networks that we trust are not counted.</summary>
internal sealed class AddressBounds(SmtpSession session)
{
    private SmtpOptions Options => session.Options;
    private IPAddress Address => session.Connection.RemoteAddress;
    private SmtpRates? Rates => session.IsTrusted || session.Role == ListenerRole.Lmtp ? null : session.Services.Rates;

    /// <summary>One message more; true when it was one too many.</summary>
    public bool IsMessageTooMany() => IsTooMany(Rates?.Messages, Options.MessageRate, "messages");

    /// <summary>One recipient more; true when it was one too many.</summary>
    public bool IsRecipientTooMany() => IsTooMany(Rates?.Recipients, Options.RecipientRate, "recipients");

    /// <summary>One error more; true when it was one too many.</summary>
    public bool IsErrorTooMany() => IsTooMany(Rates?.Errors, Options.ErrorRate, "errors");

    /// <summary>There have been so many errors that the address is not let in.</summary>
    public bool IsSentAway()
    {
        if (Rates?.Errors.IsOver(Address, Options.ErrorRate) != true) return false;
        session.Log.RateExceeded(session.Id, Address.ToString(), "errors");
        return true;
    }

    private bool IsTooMany(AddressRates? rates, RateLimit limit, string what)
    {
        if (rates is null || !rates.Add(Address, 1, limit)) return false;
        session.Log.RateExceeded(session.Id, Address.ToString(), what);
        return true;
    }
}
