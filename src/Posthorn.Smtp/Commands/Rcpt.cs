using System.Text;
using Posthorn.Core;
using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>RCPT TO: adds one recipient (RFC 5321 section 4.1.1.3).</summary>
/// <remarks><c>rcpt = "RCPT TO:" ( "&lt;Postmaster@" Domain "&gt;" / "&lt;Postmaster&gt;" / Forward-path ) [SP Rcpt-parameters] CRLF</c></remarks>
internal sealed record Rcpt(EmailAddress To, RcptParameters Parameters) : ISmtpCommand<Rcpt>
{
    /// <summary>The path was written outside ASCII.</summary>
    public bool IsUtf8 { get; init; }

    public static Rcpt Parse(ref SmtpReader args)
    {
        args.Space();
        args.Keyword("TO:"u8);
        EmailAddress to = args.ForwardPath();
        return new(to, RcptParameters.Parse(ref args)) { IsUtf8 = args.HadUtf8Path };
    }

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        if (session.Transaction is not { } mail) return Reply.NeedMail;
        if (mail.Body is not null) return Reply.InChunks;
        if (!session.IsExtended && Parameters.Any) return Reply.ParametersNeedEhlo;
        EnvelopeRecipient recipient = new(To, Parameters.Notify, Parameters.OriginalRecipient);
        if (Admit(session, mail.Envelope) is { } refusal)
        {
            session.Transport.NoteRefusal(mail.Envelope, recipient, refusal);
            return refusal;
        }
        SmtpReply verdict = await session.Policy.RecipientAsync(mail.Envelope, recipient, cancel);
        if (verdict.IsPositive)
        {
            mail.Envelope.Recipients.Add(recipient);
            return verdict;
        }
        mail.Refused++;
        session.Transport.NoteRefusal(mail.Envelope, recipient, verdict);
        session.Log.RecipientRefused(session.Id, mail.Envelope.Id, mail.Envelope.From.ToString(), To, verdict.Code, verdict.Status, verdict.Text);
        session.IsLogged();
        if (!session.RefusedRecipient()) return verdict;
        session.Say(verdict);
        return Reply.TooManyRefused;
    }

    // What the protocol and its limits have against it; null for nothing.
    private SmtpReply? Admit(SmtpSession session, Envelope envelope)
    {
        if (envelope.Recipients.Count >= session.Options.MaxRecipients) return Reply.TooManyRecipients;
        if (session.Bounds.IsRecipientTooMany()) return Mail.ForRole(session, Reply.TooManyRecipientsInTime);
        if (!envelope.SmtpUtf8 && session.NeedsUtf8(To, IsUtf8)) return Reply.RecipientNeedsUtf8;
        return session.IsUnqualified(To) ? Reply.UnqualifiedRecipient : null;
    }
}

/// <summary>The parameters of RCPT: NOTIFY and ORCPT (RFC 3461 sections 4.1 and 4.2).</summary>
internal sealed class RcptParameters
{
    /// <summary>RFC 3461 section 4.2.</summary>
    private const int MaxOriginalRecipient = 500;

    private readonly HashSet<string> _seen = [];

    /// <summary>There was at least one.</summary>
    public bool Any => _seen.Count > 0;

    public DsnNotify Notify { get; private set; }

    /// <summary>As received, checked.</summary>
    public string? OriginalRecipient { get; private set; }

    public static RcptParameters Parse(ref SmtpReader args)
    {
        RcptParameters all = new();
        while (args.Parameter(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            string known = Encoding.ASCII.GetString(name).ToUpperInvariant();
            if (known is not ("NOTIFY" or "ORCPT")) args.Fail(Reply.UnknownParameter(known));
            else if (!(known == "NOTIFY" ? all.TakeNotify(value) : all.TakeOriginal(value))) args.Fail(Reply.BadParameter(known));
            else if (!all._seen.Add(known)) args.Fail(Reply.RepeatedParameter(known));
        }
        return all;
    }

    // "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" )
    private bool TakeNotify(ReadOnlySpan<byte> value)
    {
        foreach (Range part in value.Split((byte)','))
        {
            ReadOnlySpan<byte> word = value[part];
            DsnNotify one = Ascii.EqualsIgnoreCase(word, "NEVER"u8) ? DsnNotify.Never
                : Ascii.EqualsIgnoreCase(word, "SUCCESS"u8) ? DsnNotify.Success
                : Ascii.EqualsIgnoreCase(word, "FAILURE"u8) ? DsnNotify.Failure
                : Ascii.EqualsIgnoreCase(word, "DELAY"u8) ? DsnNotify.Delay
                : DsnNotify.Unspecified;
            if (one == DsnNotify.Unspecified) return false;
            Notify |= one;
        }
        return Notify == DsnNotify.Never || !Notify.HasFlag(DsnNotify.Never);
    }

    // original-recipient-address = atom ";" xtext; with the type utf-8 the encodings of RFC 6533 section 3.
    private bool TakeOriginal(ReadOnlySpan<byte> value)
    {
        int semicolon = value.IndexOf((byte)';');
        if (semicolon < 1 || value.Length > MaxOriginalRecipient || semicolon == value.Length - 1) return false;
        ReadOnlySpan<byte> type = value[..semicolon], address = value[(semicolon + 1)..];
        foreach (byte c in type)
            if (!char.IsAsciiLetterOrDigit((char)c) && c is not ((byte)'-' or (byte)'_' or (byte)'.')) return false;
        bool valid = Ascii.EqualsIgnoreCase(type, "utf-8"u8) ? Xtext.TryDecodeUtf8(address, out _) : Xtext.TryDecode(address, out _);
        OriginalRecipient = valid ? Encoding.UTF8.GetString(value) : null;
        return valid;
    }
}
