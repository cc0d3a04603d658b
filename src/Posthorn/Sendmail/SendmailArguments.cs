using Posthorn.Transport;

namespace Posthorn.Sendmail;

/// <summary>What <c>sendmail</c> is asked to do.</summary>
internal enum SendmailMode
{
    /// <summary>Take a message from standard input and send it.</summary>
    Send,
    /// <summary>Speak SMTP on standard input and output (<c>-bs</c>).</summary>
    Speak,
    /// <summary>Say whether mail to the recipients would be taken (<c>-bv</c>).</summary>
    Verify,
    /// <summary>List the queue (<c>-bp</c>, <c>mailq</c>).</summary>
    ListQueue,
    /// <summary>Try what waits (<c>-q</c>).</summary>
    FlushQueue,
    /// <summary>Rebuild the aliases (<c>-bi</c>, <c>newaliases</c>).</summary>
    NewAliases,
    /// <summary>Run as a daemon (<c>-bd</c>).</summary>
    Daemon,
}

/// <summary>The command line of <c>sendmail</c> as Postfix's takes it: options may stand together, and many from old times mean nothing any more.</summary>
internal sealed record SendmailArguments
{
    private const string Flags = "GUimntvI";
    private const string WithValue = "ABCFLNORVXbfhopr";

    public SendmailMode Mode { get; init; } = SendmailMode.Send;

    /// <summary>The configuration file (<c>-C</c>).</summary>
    public string? Config { get; init; }

    /// <summary>Recipients come from the header too (<c>-t</c>).</summary>
    public bool FromHeader { get; init; }

    /// <summary>A line of a single dot is text (<c>-i</c>, <c>-oi</c>).</summary>
    public bool DotIsText { get; init; }

    /// <summary>The sender (<c>-f</c>, <c>-r</c>); null is who runs this, empty the null path.</summary>
    public string? Sender { get; init; }

    /// <summary>The sender's name for people (<c>-F</c>).</summary>
    public string? FullName { get; init; }

    public DsnNotify Notify { get; init; }
    public DsnReturn Return { get; init; }
    public string? EnvelopeId { get; init; }

    /// <summary>One destination or message of the queue (<c>-qR</c>, <c>-qI</c>).</summary>
    public string? QueueSite { get; init; }
    public string? QueueId { get; init; }
    public bool IsVerbose { get; init; }
    public IReadOnlyList<string> Recipients { get; init; } = [];

    /// <summary>Reads a command line; null and why where it is none.</summary>
    public static SendmailArguments? Parse(string name, IReadOnlyList<string> words, out string fault)
    {
        SendmailArguments result = new() { Mode = name switch { "mailq" => SendmailMode.ListQueue, "newaliases" => SendmailMode.NewAliases, _ => SendmailMode.Send } };
        fault = "";
        int at = 0;
        for (; at < words.Count && words[at].Length > 1 && words[at][0] == '-'; at++)
        {
            string word = words[at];
            if (word == "--")
            {
                at++;
                break;
            }
            for (int i = 1; i < word.Length; i++)
            {
                char option = word[i];
                if (Flags.Contains(option, StringComparison.Ordinal))
                {
                    result = Flag(result, option);
                    continue;
                }
                // -q takes a value only in the same word, and so does -e.
                bool inWord = option is 'q' or 'e';
                if (!inWord && !WithValue.Contains(option, StringComparison.Ordinal))
                {
                    fault = $"'-{option}' is no option of sendmail";
                    return null;
                }
                string value = word[(i + 1)..];
                if (value.Length == 0 && !inWord)
                {
                    if (++at == words.Count)
                    {
                        fault = $"'-{option}' needs a value";
                        return null;
                    }
                    value = words[at];
                }
                if (Valued(result, option, value, out fault) is not { } next) return null;
                result = next;
                break;
            }
        }
        return result with { Recipients = [.. words.Skip(at)] };
    }

    private static SendmailArguments Flag(SendmailArguments to, char option) => option switch
    {
        'i' => to with { DotIsText = true },
        't' => to with { FromHeader = true },
        'v' => to with { IsVerbose = true },
        'I' => to with { Mode = SendmailMode.NewAliases },
        _ => to, // -G, -U, -m, -n: of no meaning here
    };

    private static SendmailArguments? Valued(SendmailArguments to, char option, string value, out string fault)
    {
        fault = "";
        switch (option)
        {
            case 'f' or 'r': return to with { Sender = value.Trim().TrimStart('<').TrimEnd('>') };
            case 'F': return to with { FullName = value };
            case 'C': return to with { Config = value };
            case 'V': return to with { EnvelopeId = value };
            case 'o': return value is "i" ? to with { DotIsText = true } : value is "t" ? to with { FromHeader = true } : to; // -oem, -odi and the like
            case 'O': return value.Equals("IgnoreDots", StringComparison.OrdinalIgnoreCase) || value.Equals("IgnoreDots=true", StringComparison.OrdinalIgnoreCase) ? to with { DotIsText = true } : to;
            case 'N': return Notification(to, value, out fault);
            case 'R':
                DsnReturn? wanted = value.ToUpperInvariant() switch { "FULL" => DsnReturn.Full, "HDRS" => DsnReturn.Headers, _ => null };
                if (wanted is null) fault = $"'-R {value}': expected full or hdrs";
                return wanted is { } known ? to with { Return = known } : null;
            case 'q': return Queue(to, value);
            case 'b':
                SendmailMode? mode = value switch
                {
                    "m" => SendmailMode.Send, "s" => SendmailMode.Speak, "v" => SendmailMode.Verify, "p" => SendmailMode.ListQueue, "i" => SendmailMode.NewAliases, "d" or "l" or "D" => SendmailMode.Daemon, _ => null,
                };
                if (mode is null) fault = $"'-b{value}' is no mode; known are m, s, v, p, i";
                return mode is { } chosen ? to with { Mode = chosen } : null;
            default: return to; // -A, -B, -L, -X, -e, -h, -p: of no meaning here
        }
    }

    private static SendmailArguments Queue(SendmailArguments to, string value)
    {
        to = to with { Mode = SendmailMode.FlushQueue };
        if (value.StartsWith('I')) return to with { QueueId = value[1..] };
        return value.StartsWith('R') ? to with { QueueSite = value[1..].TrimStart('@') } : to; // -q30m: the server tries by itself
    }

    private static SendmailArguments? Notification(SendmailArguments to, string value, out string fault)
    {
        DsnNotify notify = DsnNotify.Unspecified;
        fault = "";
        foreach (string word in value.Split(','))
        {
            DsnNotify? one = word.Trim().ToUpperInvariant() switch { "NEVER" => DsnNotify.Never, "SUCCESS" => DsnNotify.Success, "FAILURE" => DsnNotify.Failure, "DELAY" => DsnNotify.Delay, _ => null };
            if (one is { } known) notify |= known;
            else fault = $"'-N {value}': expected never, or some of success,failure,delay";
        }
        if (notify.HasFlag(DsnNotify.Never) && notify != DsnNotify.Never) fault = $"'-N {value}': 'never' stands alone";
        return fault.Length > 0 ? null : to with { Notify = notify };
    }
}
