using System.Globalization;
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
    /// <summary>The path was written outside ASCII.</summary>
    public bool IsUtf8 { get; init; }

    public static Mail Parse(ref SmtpReader args)
    {
        args.Space();
        args.Keyword("FROM:"u8);
        ReversePath from = args.ReversePath();
        return new(from, MailParameters.Parse(ref args)) { IsUtf8 = args.HadUtf8Path };
    }

    public async ValueTask<SmtpReply?> RunAsync(SmtpSession session, CancellationToken cancel)
    {
        if (session.Transaction is not null) return Reply.NestedMail;
        if (!session.IsExtended && Parameters.Any) return Reply.ParametersNeedEhlo;
        DateTimeOffset now = session.Time.GetUtcNow();
        Envelope envelope = new()
        {
            Id = session.Transport.NewQueueId(),
            Client = session.Client,
            From = From,
            Body = Parameters.Body,
            SmtpUtf8 = Parameters.SmtpUtf8,
            RequiresTls = Parameters.RequiresTls,
            ReleaseAt = Parameters.ReleaseAt(now),
            HoldFor = Parameters.HoldFor,
            Return = Parameters.Return,
            EnvelopeId = Parameters.EnvelopeId,
            By = Parameters.DeliverBy(now),
            DeclaredSize = Parameters.Size,
        };
        SmtpReply verdict = Admit(session, envelope) ?? await session.Policy.SenderAsync(envelope, cancel);
        if (verdict.IsPositive) session.Open(new(envelope));
        else session.Transport.NoteRefusal(envelope, null, verdict);
        return verdict;
    }

    // What the protocol and its limits have against it; null for nothing.
    private SmtpReply? Admit(SmtpSession session, Envelope envelope)
    {
        if (session.Role == ListenerRole.Submission)
        {
            if (!session.MayLogIn) return Reply.TlsRequired;
            if (session.Account is null) return Reply.LoginRequired;
        }
        if (!session.MayOpenAnother()) return Reply.TooManyTransactions;
        if (session.Bounds.IsMessageTooMany()) return ForRole(session, Reply.TooManyMessages);
        if (Parameters.Body == BodyType.BinaryMime && !session.Options.BinaryMime) return Reply.BadParameter("BODY");
        if (Parameters.RequiresTls && !session.OffersRequireTls) return session.Options.RequireTls ? Reply.RequireTlsNeedsTls : Reply.UnknownParameter("REQUIRETLS");
        if (Parameters.HasHold && !session.OffersFutureRelease) return Reply.UnknownParameter(Parameters.HoldName);
        if (envelope.ReleaseAt > session.LatestRelease) return Reply.BadParameter(Parameters.HoldName);
        if (envelope.By is not null && session.Options.ShortestDeliverBy is null) return Reply.UnknownParameter("BY");
        if (envelope.By is { Return: true } && Parameters.BySeconds < session.Options.ShortestDeliverBy?.TotalSeconds) return Reply.TooSoon;
        // RFC 4865 section 5.2.2: what has to be there before it may go.
        if (envelope.By?.Time < envelope.ReleaseAt) return Reply.BadParameter("BY");
        if (Parameters.Size > session.Transport.MaxMessageSize) return Reply.TooBig;
        if (!From.IsNull && !Parameters.SmtpUtf8 && session.NeedsUtf8(From.Address, IsUtf8)) return Reply.SenderNeedsUtf8;
        return !From.IsNull && session.IsUnqualified(From.Address) ? Reply.UnqualifiedSender : null;
    }

    /// <summary>Mail programs of users make an endless loop of a 4xx, or show nothing at all; a 5xx they show.</summary>
    internal static SmtpReply ForRole(SmtpSession session, SmtpReply reply) => session.Role == ListenerRole.Submission ? reply with { Code = 550, Status = "5.7.1" } : reply;
}

/// <summary>The parameters of MAIL: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461), BY (RFC 2852), REQUIRETLS (RFC 8689), HOLDFOR and HOLDUNTIL (RFC 4865), AUTH (RFC 4954 section 5).</summary>
internal sealed class MailParameters
{
    /// <summary>RFC 3461 section 4.4.</summary>
    private const int MaxEnvelopeId = 100;

    /// <summary>RFC 4865 section 3: <c>future-release-interval = 1*9DIGIT</c>.</summary>
    private const int MaxHoldFor = 999_999_999;

    private readonly HashSet<string> _seen = [];
    private bool _returns;
    private bool _traces;
    private DateTimeOffset? _holdUntil;

    /// <summary>There was at least one.</summary>
    public bool Any => _seen.Count > 0;

    public long? Size { get; private set; }
    public BodyType Body { get; private set; }
    public bool SmtpUtf8 { get; private set; }
    public DsnReturn Return { get; private set; }
    public string? EnvelopeId { get; private set; }
    public bool RequiresTls { get; private set; }

    /// <summary>Seconds in which it has to arrive (RFC 2852); null for whenever.</summary>
    public long? BySeconds { get; private set; }

    /// <summary>When it has to arrive, reckoned from now.</summary>
    public DeliverBy? DeliverBy(DateTimeOffset now) => BySeconds is { } seconds ? new(now.AddSeconds(seconds), _returns, _traces) : null;

    /// <summary>Seconds that it is to wait.</summary>
    public int? HoldFor { get; private set; }

    /// <summary>The message is to wait (RFC 4865).</summary>
    public bool HasHold => HoldFor is not null || _holdUntil is not null;
    public string HoldName => HoldFor is not null ? "HOLDFOR" : "HOLDUNTIL";

    /// <summary>When it may go out; null when it need not wait. A time that is past is no time to wait for.</summary>
    public DateTimeOffset? ReleaseAt(DateTimeOffset now) => HoldFor is { } seconds ? now.AddSeconds(seconds) : _holdUntil > now ? _holdUntil : null;

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
                bool number = SmtpReader.TrySize(value, out long size);
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
            case "BY":
                return TakeBy(value);
            case "REQUIRETLS":
                RequiresTls = true;
                return value.IsEmpty;
            case "HOLDFOR":
                if (HasHold || !SmtpReader.TryNumber(value, out long seconds) || seconds is 0 or > MaxHoldFor) return false;
                HoldFor = (int)seconds;
                return true;
            case "HOLDUNTIL":
                return TakeHoldUntil(value);
            case "AUTH":
                // Who first sent it, as the client says; believed of nobody, so only its form counts.
                return value.SequenceEqual("<>"u8) || (!value.IsEmpty && Xtext.TryDecode(value, out _));
            default:
                return null;
        }
    }

    // by-value = ["-" / "+"]1*9digit ";" ("N" / "R") ["T"]; only what is to be told may be late already (RFC 2852 section 4).
    private bool TakeBy(ReadOnlySpan<byte> value)
    {
        int semicolon = value.IndexOf((byte)';');
        if (semicolon < 1) return false;
        ReadOnlySpan<byte> time = value[..semicolon], mode = value[(semicolon + 1)..];
        bool negative = time[0] == '-';
        if (time[0] is (byte)'-' or (byte)'+') time = time[1..];
        if (time.Length > 9 || !SmtpReader.TryNumber(time, out long seconds)) return false;
        _returns = mode.Length > 0 && mode[0] is (byte)'R' or (byte)'r';
        _traces = mode.Length == 2 && mode[1] is (byte)'T' or (byte)'t';
        if (mode.Length - (_traces ? 1 : 0) != 1 || !_returns && mode[0] is not ((byte)'N' or (byte)'n')) return false;
        BySeconds = negative ? -seconds : seconds;
        return !_returns || BySeconds > 0;
    }

    // RFC 3339, in UTC (RFC 4865 section 4); only one of the two parameters may stand.
    private bool TakeHoldUntil(ReadOnlySpan<byte> value)
    {
        if (HasHold || !DateTimeOffset.TryParseExact(Encoding.ASCII.GetString(value), ["yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'"],
            CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset until)) return false;
        _holdUntil = until;
        return true;
    }

    private bool TakeBody(ReadOnlySpan<byte> value)
    {
        if (Ascii.EqualsIgnoreCase(value, "8BITMIME"u8)) Body = BodyType.EightBitMime;
        else if (Ascii.EqualsIgnoreCase(value, "BINARYMIME"u8)) Body = BodyType.BinaryMime;
        else return Ascii.EqualsIgnoreCase(value, "7BIT"u8);
        return true;
    }
}
