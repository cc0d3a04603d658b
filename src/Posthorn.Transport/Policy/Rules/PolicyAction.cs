using System.Globalization;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Transport.Policy.Rules;

/// <summary>What a rule, an access table or a policy server wants done: Postfix's access(5) has the words.</summary>
public abstract record PolicyAction
{
    private PolicyAction() { }

    /// <summary>OK: no further rule of this stage is asked.</summary>
    public sealed record Permit : PolicyAction;

    /// <summary>DUNNO: nothing; the next rule.</summary>
    public sealed record Pass : PolicyAction;

    /// <summary>REJECT, DEFER, a 4xx or 5xx reply.</summary>
    public sealed record Refuse(SmtpReply Reply) : PolicyAction;

    /// <summary>DEFER_IF_PERMIT: this reply, unless a later rule of the stage refuses for good.</summary>
    public sealed record DeferIfPermit(SmtpReply Reply) : PolicyAction;

    /// <summary>DEFER_IF_REJECT: this reply, when a later rule of the stage refuses.</summary>
    public sealed record DeferIfReject(SmtpReply Reply) : PolicyAction;

    /// <summary>HOLD: the message waits in the queue for an operator.</summary>
    public sealed record Hold(string Reason) : PolicyAction;

    /// <summary>DISCARD: the message is taken and thrown away; no further rule of this stage is asked.</summary>
    public sealed record Discard(string Reason) : PolicyAction;

    /// <summary>REDIRECT: the message goes to this address instead of all others.</summary>
    public sealed record Redirect(EmailAddress To) : PolicyAction;

    /// <summary>PREPEND: a field before all others.</summary>
    public sealed record Prepend(string Field) : PolicyAction;

    /// <summary>WARN or INFO: a line in the log.</summary>
    public sealed record Warn(string Text) : PolicyAction;

    /// <summary>The longest text of a reply or reason that is passed on, characters: what an SMTP line holds beside its codes.</summary>
    public const int MaxText = 400;

    private static readonly SmtpReply Denied = new(554, "5.7.1", "Access denied");
    private static readonly SmtpReply Later = new(450, "4.7.1", "Service unavailable, try again later");

    /// <summary>Reads an action as access(5) and the policy delegation protocol write it.</summary>
    /// <param name="text">The action with its text.</param>
    /// <param name="action">The action.</param>
    /// <param name="problem">Why it is none.</param>
    public static bool TryParse(string text, out PolicyAction action, out string problem)
    {
        text = Clean(text);
        int blank = text.IndexOf(' ', StringComparison.Ordinal);
        string word = (blank < 0 ? text : text[..blank]).ToUpperInvariant(), rest = blank < 0 ? "" : text[(blank + 1)..].Trim();
        (action, problem) = (new Pass(), "");
        switch (word)
        {
            case "OK" or "PERMIT": action = new Permit(); break;
            case "DUNNO": break;
            case "REJECT": action = new Refuse(WithText(Denied, rest)); break;
            case "DEFER": action = new Refuse(WithText(Later, rest)); break;
            case "DEFER_IF_PERMIT": action = new DeferIfPermit(WithText(Later, rest)); break;
            case "DEFER_IF_REJECT": action = new DeferIfReject(WithText(Later, rest)); break;
            case "HOLD": action = new Hold(rest); break;
            case "DISCARD": action = new Discard(rest); break;
            case "WARN" or "INFO": action = new Warn(rest); break;
            case "REDIRECT" when EmailAddress.TryParse(rest.Trim('<', '>'), out EmailAddress to): action = new Redirect(to); break;
            case "PREPEND" when IsField(rest): action = new Prepend(rest); break;
            case "REDIRECT": problem = $"REDIRECT needs an address, not \"{rest}\""; break;
            case "PREPEND": problem = $"PREPEND needs a field such as \"X-Note: text\", not \"{rest}\""; break;
            case { Length: 3 } when TryReply(text, out SmtpReply? reply): action = new Refuse(reply); break;
            // Tables that other programs make give numbers for "yes" (access(5): all-numerical). A 4xx or 5xx without text is a refusal here: nobody writes 550 for "yes".
            case { Length: > 0 } when word.All(char.IsAsciiDigit) && rest.Length == 0: action = new Permit(); break;
            default: problem = $"\"{word}\" is no action that is known here"; break;
        }
        return problem.Length == 0;
    }

    /// <summary>Reads a reply: <c>550 5.7.1 text</c>, <c>550 text</c>; 4xx or 5xx.</summary>
    public static bool TryReply(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SmtpReply? reply)
    {
        reply = null;
        text = Clean(text);
        if (text.Length < 3 || text[0] is not ('4' or '5') || !int.TryParse(text.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture, out int code)) return false;
        if (text.Length > 3 && text[3] != ' ') return false;
        reply = WithText(new(code, code < 500 ? "4.7.1" : "5.7.1", code < 500 ? Later.Text : Denied.Text), text[3..].Trim());
        return true;
    }

    /// <summary>The reply with another text, which may begin with a status of its own class.</summary>
    public static SmtpReply WithText(SmtpReply reply, string text)
    {
        text = Clean(text);
        if (text.Length == 0) return reply;
        int blank = text.IndexOf(' ', StringComparison.Ordinal);
        string first = blank < 0 ? text : text[..blank];
        if (!IsStatus(first)) return reply with { Text = text };
        string status = $"{reply.Code / 100}{first[1..]}"; // RFC 3463 section 2: the class is that of the code
        return reply with { Status = status, Text = blank < 0 ? reply.Text : text[(blank + 1)..].Trim() };
    }

    /// <summary>True for a header field in one line.</summary>
    public static bool IsField(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && colon <= 80 && text.AsSpan(0, colon).IndexOfAnyExceptInRange('!', '~') < 0;
    }

    // Text that others wrote must not become a line of its own in a reply, a header or the log.
    private static string Clean(string text)
    {
        text = text.Trim();
        if (text.Length > MaxText) text = text[..MaxText];
        StringBuilder clean = new(text.Length);
        foreach (char c in text) clean.Append(char.IsControl(c) ? ' ' : c);
        return clean.ToString();
    }

    private static bool IsStatus(string word)
    {
        string[] parts = word.Split('.');
        return parts is [[>= '2' and <= '5'], { Length: >= 1 and <= 3 } subject, { Length: >= 1 and <= 3 } detail] && subject.All(char.IsAsciiDigit) && detail.All(char.IsAsciiDigit);
    }
}
