using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using Posthorn.Configuration;
using Posthorn.Control;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Net;
using Posthorn.Transport;
using Posthorn.Transport.Filtering;
using Posthorn.Transport.Policy.Explaining;
using Posthorn.Transport.Remote;

namespace Posthorn.Serving;

/// <summary>What <c>explain</c> is asked.</summary>
/// <param name="From">The sender; <c>&lt;&gt;</c> or empty for the null path.</param>
/// <param name="To">The recipients.</param>
/// <param name="Address">The client's address.</param>
/// <param name="Helo">Its name for itself; null for its address.</param>
/// <param name="Login">The login name; null for none.</param>
/// <param name="Tls">Under TLS.</param>
/// <param name="Listener">The listener; null for <c>smtp</c>, or with a login <c>submission</c>.</param>
/// <param name="Size">SIZE as declared.</param>
internal sealed record ExplainQuestion(string From, IReadOnlyList<string> To, string Address, string? Helo, string? Login, bool Tls, string? Listener, long? Size)
{
    /// <summary>As a query over the control socket.</summary>
    public string Query()
    {
        List<(string Key, string? Value)> pairs = [("from", From), ("ip", Address), ("helo", Helo), ("login", Login), ("tls", Tls ? "true" : null), ("listener", Listener), ("size", Size?.ToString(CultureInfo.InvariantCulture))];
        foreach (string to in To) pairs.Add(("to", to));
        return string.Join('&', pairs.Where(pair => pair.Value is not null).Select(pair => $"{pair.Key}={Uri.EscapeDataString(pair.Value!)}"));
    }

    public static ExplainQuestion Of(ControlRequest request)
    {
        return new(Text("from") ?? "", [.. request.Query["to"].OfType<string>()], Text("ip") ?? "", Text("helo"), Text("login"), Text("tls") == "true", Text("listener"),
            long.TryParse(Text("size"), NumberStyles.None, CultureInfo.InvariantCulture, out long size) ? size : null);

        string? Text(string key) => request.Query[key].ToString() is { Length: > 0 } text ? text : null;
    }
}

/// <summary>Answers <c>explain</c>, for the running server and for one that does not run.</summary>
internal sealed class ExplainRoutes(ServerConfiguration configuration, IDirectory directory, Explainer explainer)
{
    private static readonly TlsDetails SomeTls = new(SslProtocols.Tls13, TlsCipherSuite.TLS_AES_256_GCM_SHA384, 256, null);

    /// <summary>Explains; the problem when there is nothing to explain.</summary>
    public async ValueTask<(ExplainReport? Report, string? Problem)> AnswerAsync(ExplainQuestion question, CancellationToken cancel)
    {
        (ImaginedSession? session, string? problem) = Imagine(question);
        if (session is null) return (null, problem);
        return (ReportOf(session, await explainer.RunAsync(session, cancel)), null);
    }

    private (ImaginedSession?, string?) Imagine(ExplainQuestion question)
    {
        if (!IPAddress.TryParse(question.Address, out IPAddress? address)) return (null, $"'{question.Address}' is no IP address");
        ReversePath from = ReversePath.Null;
        if (question.From is not ("" or "<>"))
        {
            if (!EmailAddress.TryParse(question.From.Trim('<', '>'), out EmailAddress sender)) return (null, $"'{question.From}' is no address; <> stands for the null sender");
            from = ReversePath.Of(sender);
        }
        List<EmailAddress> recipients = [];
        foreach (string to in question.To)
        {
            if (!EmailAddress.TryParse(to.Trim('<', '>'), out EmailAddress recipient)) return (null, $"'{to}' is no address");
            recipients.Add(recipient);
        }
        MailAccount? account = question.Login is { } login ? directory.FindLogin(login) : null;
        if (question.Login is not null && account is null) return (null, $"nobody can log in as '{question.Login}'");
        string listener = question.Listener ?? (account is null ? "smtp" : "submission");
        ListenerRole? role = listener switch { "smtp" => ListenerRole.Mx, "lmtp" => ListenerRole.Lmtp, "submission" or "submissions" => ListenerRole.Submission, _ => null };
        if (role is null) return (null, $"'{listener}' takes no mail; expected smtp, submission, submissions or lmtp");
        return (new()
        {
            Role = role.Value, Listener = listener, Address = address, Helo = question.Helo ?? (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[IPv6:{address}]" : $"[{address}]"),
            From = from, Recipients = recipients, Account = account, Tls = question.Tls || listener == "submissions" ? SomeTls : null,
            IsTrusted = configuration.Network.Relay.Any(network => network.Contains(address)), Size = question.Size, Delays = role == ListenerRole.Mx,
        }, null);
    }

    private static ExplainReport ReportOf(ImaginedSession session, Explanation told) => new(
        session.Listener, session.Address.ToString(), told.ClientName.Verified, session.Helo, session.From.ToString(), session.Account?.Address.ToString(),
        [.. told.Stages.Select(stage => new ExplainReportStage(stage.Stage.ToString().ToLowerInvariant(), stage.Recipient?.ToString(), stage.Reply?.ToString(), stage.Refusal?.ToString(), stage.DecidedBy,
            [.. stage.Remarks.Select(remark => new ExplainReportRemark(remark.By, remark.Text, remark.IsDecision))]))],
        [.. told.Recipients.Select(one => new ExplainReportRecipient(one.Address.ToString(), one.Reply.IsPositive, one.Reply.ToString()))],
        told.IsAccepted, told.HoldReason, told.DiscardReason, told.RedirectTo?.ToString(), told.RewrittenFrom?.Address.ToString(), told.Prepended,
        [.. told.Targets.Select(target => new ExplainReportTarget(target.Recipient.ToString(), target.Address.ToString(), target.Account?.Address.ToString(), target.Mailbox, target.HasFilter, target.IsFilterUnusable, target.Route, target.Fault?.ToString(), target.IsCopy))]);

    /// <summary>An explainer over a transport.</summary>
    public static Explainer For(MailTransport transport, IMailDns dns, ScriptLibrary filters, Func<SieveOptions> options) =>
        new(transport, dns, (account, cancel) => filters.ChainAsync(account, options(), static _ => { }, cancel));
}
