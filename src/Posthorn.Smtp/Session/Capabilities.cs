using System.Globalization;
using System.Text;

namespace Posthorn.Smtp.Session;

/// <summary>The lines of the reply to EHLO and LHLO: only what this session can really use now.</summary>
internal static class Capabilities
{
    public static string For(SmtpSession session)
    {
        SmtpOptions options = session.Options;
        StringBuilder lines = new();
        lines.Append(options.Hostname.Ascii);
        lines.Append(CultureInfo.InvariantCulture, $"\nSIZE {session.Transport.MaxMessageSize}");
        lines.Append("\nPIPELINING\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nCHUNKING");
        if (options.BinaryMime) lines.Append("\nBINARYMIME");
        lines.Append("\nDSN");
        if (session.OffersRequireTls) lines.Append("\nREQUIRETLS");
        if (session.OffersFutureRelease) lines.Append(CultureInfo.InvariantCulture, $"\nFUTURERELEASE {(long)options.FutureRelease.TotalSeconds} {session.LatestRelease.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}");
        if (options.ShortestDeliverBy is { } shortest) lines.Append(shortest > TimeSpan.Zero ? string.Create(CultureInfo.InvariantCulture, $"\nDELIVERBY {(long)Math.Ceiling(shortest.TotalSeconds)}") : "\nDELIVERBY");
        if (options.AnnounceLimits) lines.Append(Limits(options));
        if (session.MayUseXClient) lines.Append("\nXCLIENT ").AppendJoin(' ', Commands.XClient.Known);
        if (session.MayUseXForward) lines.Append("\nXFORWARD ").AppendJoin(' ', Commands.XForward.Known);
        if (session.CanStartTls) lines.Append("\nSTARTTLS");
        if (session.KnowsLogin && session.MayLogIn) AddMechanisms(session, lines);
        return lines.ToString();
    }

    private static void AddMechanisms(SmtpSession session, StringBuilder lines)
    {
        string mechanisms = string.Join(' ', session.Services.Directory!.MechanismsFor(session.LoginContext));
        if (mechanisms.Length == 0) return;
        lines.Append("\nAUTH ").Append(mechanisms);
        if (session.Options.BrokenAuthLine) lines.Append("\nAUTH=").Append(mechanisms);
    }

    // The grammar has six digits (RFC 9422): a larger limit is none that a client need know.
    private static string Limits(SmtpOptions options)
    {
        const int Largest = 999_999;
        string recipients = options.MaxRecipients <= Largest ? string.Create(CultureInfo.InvariantCulture, $" RCPTMAX={options.MaxRecipients}") : "";
        string messages = options.MaxTransactions <= Largest ? string.Create(CultureInfo.InvariantCulture, $" MAILMAX={options.MaxTransactions}") : "";
        return recipients.Length + messages.Length > 0 ? $"\nLIMITS{messages}{recipients}" : "";
    }
}
