using System.Text;
using Posthorn.Core;
using Posthorn.Smtp.Session;
using Posthorn.Smtp.Wire;
using Posthorn.Transport;

namespace Posthorn.Smtp.Commands;

/// <summary>MAIL FROM: opens a transaction (RFC 5321 section 4.1.1.2).</summary>
/// <remarks><c>mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF</c></remarks>
internal sealed record Mail(ReversePath From, MailParameters Parameters) : ISmtpCommand<Mail>
{
    public static Mail Parse(ref SmtpReader args)
    {
        args.Space();
        args.Keyword("FROM:"u8);
        ReversePath from = args.ReversePath();
        return new(from, MailParameters.Parse(ref args));
    }

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        if (session.Transaction is not null) return Reply.NestedMail;
        if (!session.IsExtended && Parameters.Any) return Reply.ParametersNeedEhlo;
        if (session.Role == ListenerRole.Submission)
        {
            if (!session.MayLogIn) return Reply.TlsRequired;
            if (session.Account is null) return Reply.LoginRequired;
        }
        if (!session.MayOpenAnother()) return Reply.TooManyTransactions;
        if (Parameters.Body == BodyType.BinaryMime && !session.Options.BinaryMime) return Reply.BadParameter("BODY");
        if (Parameters.Size > session.Transport.MaxMessageSize) return Reply.TooBig;
        if (!From.IsNull && From.Address.NeedsUtf8 && !Parameters.SmtpUtf8) return Reply.NeedSmtpUtf8;

        Envelope envelope = new()
        {
            Id = session.Transport.NewQueueId(),
            Client = session.Client,
            From = From,
            Body = Parameters.Body,
            SmtpUtf8 = Parameters.SmtpUtf8,
            Return = Parameters.Return,
            EnvelopeId = Parameters.EnvelopeId,
            DeclaredSize = Parameters.Size,
        };
        SmtpReply verdict = await session.Transport.AdmitSenderAsync(envelope, cancel);
        bool delayed = !verdict.IsPositive && session.Role == ListenerRole.Mx && session.Options.DelaySenderRefusal;
        if (!verdict.IsPositive && !delayed) return verdict;
        session.Open(new(envelope) { SenderRefusal = delayed ? verdict : null });
        return delayed ? Reply.SenderOk : verdict;
    }
}

/// <summary>The parameters of MAIL: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461), AUTH (RFC 4954 section 5).</summary>
internal sealed class MailParameters
{
    /// <summary>RFC 3461 section 4.4.</summary>
    private const int MaxEnvelopeId = 100;

    private readonly HashSet<string> _seen = [];

    /// <summary>There was at least one.</summary>
    public bool Any => _seen.Count > 0;

    public long? Size { get; private set; }
    public BodyType Body { get; private set; }
    public bool SmtpUtf8 { get; private set; }
    public DsnReturn Return { get; private set; }
    public string? EnvelopeId { get; private set; }

    public static MailParameters Parse(ref SmtpReader args)
    {
        MailParameters all = new();
        while (args.Parameter(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            string known = Encoding.ASCII.GetString(name).ToUpperInvariant();
            if (all.Take(known, value) is not { } valid) args.Fail(Reply.UnknownParameter(known));
            else if (!valid) args.Fail(Reply.BadParameter(known));
            else if (!all._seen.Add(known)) args.Fail(Reply.RepeatedParameter(known));
        }
        return all;
    }

    // Null: not known here.
    private bool? Take(string name, ReadOnlySpan<byte> value)
    {
        switch (name)
        {
            case "SIZE":
                bool number = SmtpReader.TryNumber(value, out long size);
                Size = size;
                return number;
            case "BODY":
                return TakeBody(value);
            case "SMTPUTF8":
                SmtpUtf8 = true;
                return value.IsEmpty;
            case "RET":
                Return = Ascii.EqualsIgnoreCase(value, "FULL"u8) ? DsnReturn.Full : DsnReturn.Headers;
                return Return == DsnReturn.Full || Ascii.EqualsIgnoreCase(value, "HDRS"u8);
            case "ENVID":
                if (value.Length is 0 or > MaxEnvelopeId || !Xtext.TryDecode(value, out string id)) return false;
                EnvelopeId = id;
                return true;
            case "AUTH":
                // Who first sent it, as the client says; believed of nobody, so only its form counts.
                return value.SequenceEqual("<>"u8) || (!value.IsEmpty && Xtext.TryDecode(value, out _));
            default:
                return null;
        }
    }

    private bool TakeBody(ReadOnlySpan<byte> value)
    {
        if (Ascii.EqualsIgnoreCase(value, "8BITMIME"u8)) Body = BodyType.EightBitMime;
        else if (Ascii.EqualsIgnoreCase(value, "BINARYMIME"u8)) Body = BodyType.BinaryMime;
        else return Ascii.EqualsIgnoreCase(value, "7BIT"u8);
        return true;
    }
}
