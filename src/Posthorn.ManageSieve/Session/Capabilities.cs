using System.Globalization;
using Posthorn.Sieve;

namespace Posthorn.ManageSieve.Session;

/// <summary>The capabilities: computed from what this session could do now (RFC 5804 section 1.7).</summary>
internal static class Capabilities
{
    public static void Write(ManageSieveSession session)
    {
        SieveSettings sieve = session.Options.Sieve;
        session.Out.Capability("IMPLEMENTATION", "Posthorn");
        session.Out.Capability("SIEVE", string.Join(' ', sieve.Extensions));
        if (sieve.Extensions.Contains("enotify")) session.Out.Capability("NOTIFY", string.Join(' ', (string[])["mailto", .. sieve.NotifySchemes]));
        // RFC 6134 section 2.8: the schemes that names of lists have.
        if (sieve.Extensions.Contains("extlists")) session.Out.Capability("EXTLISTS", "urn tag");
        session.Out.Capability("SASL", string.Join(' ', session.Services.Directory.MechanismsFor(session.LoginContext)));
        if (session.CanStartTls) session.Out.Capability("STARTTLS", null);
        session.Out.Capability("MAXREDIRECTS", sieve.Limits.MaxRedirects.ToString(CultureInfo.InvariantCulture));
        session.Out.Capability("LANGUAGE", "en");
        if (session.Owner is { } owner) session.Out.Capability("OWNER", owner.Address.ToString());
        session.Out.Capability("UNAUTHENTICATE", null);
        session.Out.Capability("VERSION", "1.0");
    }
}
