using System.Globalization;
using Posthorn.Core;
using Posthorn.Transport;

namespace Posthorn.Smtp.Wire;

/// <summary>All replies that the session itself gives (RFC 5321 section 4.2, RFC 3463). Policy replies come from the transport.</summary>
internal static class Reply
{
    public static readonly SmtpReply Ok = new(250, "2.0.0", "Ok");
    public static readonly SmtpReply Bye = new(221, "2.0.0", "Bye");
    public static readonly SmtpReply StartMail = new(354, "", "End data with <CR><LF>.<CR><LF>");
    public static readonly SmtpReply ReadyForTls = new(220, "2.0.0", "Ready to start TLS");
    public static readonly SmtpReply CannotVerify = new(252, "2.5.2", "Send some mail, it will be tried");
    public static readonly SmtpReply LoggedIn = new(235, "2.7.0", "Authentication successful");

    // Sequence.
    public static readonly SmtpReply NeedHello = new(503, "5.5.1", "Say hello first");
    public static readonly SmtpReply NeedMail = new(503, "5.5.1", "Need MAIL first");
    public static readonly SmtpReply NeedRecipient = new(503, "5.5.1", "Need RCPT first");
    public static readonly SmtpReply NoValidRecipients = new(554, "5.5.1", "No valid recipients");
    public static readonly SmtpReply NestedMail = new(503, "5.5.1", "A transaction is open already; send RSET to drop it");
    public static readonly SmtpReply InChunks = new(503, "5.5.1", "The message has begun with BDAT; go on with BDAT or send RSET");
    public static readonly SmtpReply BinaryNeedsBdat = new(503, "5.5.1", "BODY=BINARYMIME needs BDAT");
    public static readonly SmtpReply ChunksFailed = new(503, "5.5.1", "An earlier BDAT failed; send RSET");
    public static readonly SmtpReply AlreadySecure = new(503, "5.5.1", "TLS is active already");
    public static readonly SmtpReply LoggedInAlready = new(503, "5.5.1", "Logged in already");
    public static readonly SmtpReply NotWelcome = new(503, "5.5.1", "You are not served here; say QUIT");
    public static readonly SmtpReply NotInTransaction = new(503, "5.5.1", "Not within a mail transaction");

    // Syntax.
    public static readonly SmtpReply UnknownCommand = new(500, "5.5.1", "Command not recognized");
    public static readonly SmtpReply NotImplemented = new(502, "5.5.1", "Command not implemented here");
    public static readonly SmtpReply LineTooLong = new(500, "5.5.2", "Line too long");
    public static readonly SmtpReply BareLineFeed = new(500, "5.5.2", "Lines must end in CR LF");
    public static readonly SmtpReply ControlCharacters = new(500, "5.5.2", "Control characters are not allowed in commands");
    public static readonly SmtpReply NoArguments = new(501, "5.5.4", "This command takes no arguments");
    public static readonly SmtpReply BadSenderSyntax = new(501, "5.1.7", "Bad sender address syntax");
    public static readonly SmtpReply BadRecipientSyntax = new(501, "5.1.3", "Bad recipient address syntax");
    public static readonly SmtpReply SenderNeedsUtf8 = new(550, "5.6.7", "A non-ASCII address needs SMTPUTF8");
    public static readonly SmtpReply RecipientNeedsUtf8 = new(553, "5.6.7", "A non-ASCII address needs SMTPUTF8");

    // RFC 6409 section 4.2.
    public static readonly SmtpReply UnqualifiedSender = new(554, "5.1.8", "The domain of the sender is not fully qualified");
    public static readonly SmtpReply UnqualifiedRecipient = new(554, "5.1.2", "The domain of the recipient is not fully qualified");
    public static readonly SmtpReply NotSmtp = new(554, "5.5.1", "This is a mail server");
    public static readonly SmtpReply BadHello = new(501, "5.5.2", "Expected your host name or [address]");

    public static readonly SmtpReply SpokeFirst = new(554, "5.5.1", "Protocol error: wait for the greeting");

    public static readonly SmtpReply PipelinedUnasked = new(554, "5.5.0", "Protocol error: wait for the reply before you go on");
    public static readonly SmtpReply NotAuthorized = new(550, "5.7.0", "Not authorized");

    // Encryption and login.
    public static readonly SmtpReply TlsRequired = new(530, "5.7.0", "Must issue a STARTTLS command first");
    public static readonly SmtpReply RequireTlsNeedsTls = new(554, "5.7.10", "REQUIRETLS needs TLS in this session too");
    public static readonly SmtpReply TlsUnavailable = new(454, "4.7.0", "TLS not available");
    public static readonly SmtpReply LoginRequired = new(530, "5.7.0", "Authentication required");
    public static readonly SmtpReply LoginNeedsTls = new(538, "5.7.11", "Encryption required for this authentication mechanism");
    public static readonly SmtpReply LoginFailed = new(535, "5.7.8", "Authentication credentials invalid");
    public static readonly SmtpReply LoginCancelled = new(501, "5.7.0", "Authentication cancelled");
    public static readonly SmtpReply LoginUnavailable = new(454, "4.7.0", "Temporary authentication failure");
    public static readonly SmtpReply LoginTooLong = new(500, "5.5.6", "Authentication exchange line is too long");
    public static readonly SmtpReply BadBase64 = new(501, "5.5.2", "Cannot decode base64");
    public static readonly SmtpReply UnknownMechanism = new(504, "5.5.4", "Unrecognized authentication mechanism");
    public static readonly SmtpReply MalformedLogin = new(501, "5.5.2", "Malformed authentication message");
    public static readonly SmtpReply LoginRevoked = new(421, "4.7.0", "The account or its password has changed; log in again");
    public static readonly SmtpReply TooManyLogins = new(421, "4.7.0", "Too many failed logins");

    // Limits.
    public static readonly SmtpReply TooManyRecipients = new(452, "4.5.3", "Too many recipients");
    public static readonly SmtpReply TooManyErrors = new(421, "4.7.0", "Too many errors");
    public static readonly SmtpReply TooManyRefused = new(421, "4.7.0", "Too many unknown recipients");
    public static readonly SmtpReply TooManyTransactions = new(421, "4.5.3", "Too many messages in one session; connect again");
    public static readonly SmtpReply TooManyMessages = new(450, "4.7.1", "Too many messages from your address; try again later");
    public static readonly SmtpReply TooManyRecipientsInTime = new(450, "4.7.1", "Too many recipients from your address; try again later");
    public static readonly SmtpReply TooManyErrorsInTime = new(421, "4.7.0", "Too many errors from your address; try again later");
    public static readonly SmtpReply TooBig = new(552, "5.3.4", "Message size exceeds fixed limit");
    public static readonly SmtpReply TextLineTooLong = new(550, "5.6.0", "A line of the message is too long");
    public static readonly SmtpReply BareLineEnds = new(550, "5.5.2", "Bare CR or LF in the message: lines must end in CR LF");

    // The world.
    public static readonly SmtpReply LocalError = new(451, "4.3.0", "Local error in processing; try again later");
    public static readonly SmtpReply TimedOut = new(421, "4.4.2", "Timeout, closing the connection");
    public static readonly SmtpReply ShuttingDown = new(421, "4.3.2", "The server is going down; try again shortly");

    public static SmtpReply Greeting(DomainName host, bool lmtp) => new(220, "", $"{host} {(lmtp ? "LMTP" : "ESMTP")} Posthorn");

    public static SmtpReply Hello(string lines) => new(250, "", lines);

    /// <summary>A challenge of a login (RFC 4954 section 4).</summary>
    public static SmtpReply Challenge(string base64) => new(334, "", base64);

    /// <summary>What was expected, and where in the line, from 1.</summary>
    public static SmtpReply Expected(string what, int column) =>
        new(501, "5.5.4", string.Create(CultureInfo.InvariantCulture, $"Syntax error: expected {what} at {column}"));

    public static SmtpReply BadParameter(string name) => new(501, "5.5.4", $"Bad value of parameter {name}");

    /// <summary>RFC 2852 section 4.</summary>
    public static SmtpReply TooSoon { get; } = new(555, "5.5.4", "BY asks for less time than DELIVERBY says is needed");
    public static SmtpReply RepeatedParameter(string name) => new(501, "5.5.4", $"Parameter {name} is given twice");

    public static SmtpReply UnknownAttribute(string name) => new(501, "5.5.4", $"Attribute {name} is not recognized");
    public static SmtpReply BadAttribute(string name) => new(501, "5.5.4", $"Bad value of attribute {name}");

    /// <summary>A session that said HELO has no extensions (RFC 5321 sections 2.2.1 and 4.1.1.11).</summary>
    public static readonly SmtpReply ParametersNeedEhlo = new(555, "5.5.4", "Parameters need EHLO, not HELO");

    /// <summary>RFC 5321 section 4.1.1.11: parameters that are not recognized.</summary>
    public static SmtpReply UnknownParameter(string name) => new(555, "5.5.4", $"Parameter {name} is not recognized");

    public static SmtpReply ChunkTaken(long octets) => new(250, "2.0.0", string.Create(CultureInfo.InvariantCulture, $"{octets} octets received"));
}
