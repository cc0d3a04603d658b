using Posthorn.Net;

namespace Posthorn.Pop3.Wire;

/// <summary>The first line of an answer: <c>+OK</c> or <c>-ERR</c>, a response code (RFC 2449 section 8, RFC 3206), a text.</summary>
internal sealed record Reply(bool IsOk, string Code, string Text)
{
    public static readonly Reply NotNow = Error("", "Not in this state");
    public static readonly Reply UnknownCommand = Error("", "Unknown command");
    public static readonly Reply LineTooLong = Error("", "The line is too long");
    public static readonly Reply BadBase64 = Error("", "That is not base64");
    public static readonly Reply Cancelled = Error("", "Authentication cancelled");
    public static readonly Reply LoginFailed = Error("AUTH", "Wrong name or password");
    public static readonly Reply LoginNeedsTls = Error("", "Start TLS before you send a password");
    public static readonly Reply TooManySessions = Error("IN-USE", "This account has too many POP3 sessions");
    public static readonly Reply TooManyErrors = Error("", "Too many errors");
    public static readonly Reply LocalError = Error("SYS/TEMP", "Something is broken here, try again later");
    public static readonly Reply NoMessage = Error("", "No such message");
    public static readonly Reply Deleted = Error("", "That message is marked as deleted");
    public static readonly Reply Gone = Error("", "That message was removed by another client");

    public static Reply Ok(string text) => new(true, "", text);
    public static Reply Error(string code, string text) => new(false, code, text);
    public static Reply Expected(string what) => Error("", "Expected " + what);
}

/// <summary>Writes answers.</summary>
internal static class Pop3Output
{
    public static void Write(this OutputBuffer output, Reply reply)
    {
        output.Write(reply.IsOk ? "+OK"u8 : "-ERR"u8);
        if (reply.Code.Length > 0)
        {
            output.Write(" ["u8);
            output.Write(reply.Code);
            output.Write("]"u8);
        }
        if (reply.Text.Length > 0)
        {
            output.Write(" "u8);
            output.Write(reply.Text);
        }
        output.Write("\r\n"u8);
    }

    /// <summary>One line of a scan or unique-id listing: a number and what follows.</summary>
    public static void Line(this OutputBuffer output, int number, long value)
    {
        output.Write(number);
        output.Write(" "u8);
        output.Write(value);
        output.Write("\r\n"u8);
    }

    /// <inheritdoc cref="Line(OutputBuffer, int, long)"/>
    public static void Line(this OutputBuffer output, int number, string value)
    {
        output.Write(number);
        output.Write(" "u8);
        output.Write(value);
        output.Write("\r\n"u8);
    }

    /// <summary>Ends an answer of several lines.</summary>
    public static void EndOfLines(this OutputBuffer output) => output.Write(".\r\n"u8);
}
