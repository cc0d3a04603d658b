using System.Globalization;
using Posthorn.Core;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>keep, discard, stop, fileinto and redirect (RFC 5228 section 4) with the arguments that extensions add.</summary>
internal static class BaseCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("stop", CommandKind.Control) { Build = _ => new ControlOps.Stop() },
        new("discard", CommandKind.Action) { Build = _ => new DiscardOp() },
        new("keep", CommandKind.Action)
        {
            Tags = [new("flags", ArgumentKind.TextList, Extension: "imap4flags")],
            Build = b => new KeepOp(b.TagList("flags")),
        },
        new("fileinto", CommandKind.Action, "fileinto")
        {
            Tags = [new("copy", Extension: "copy"), .. Targets.Tags],
            Parameters = [new("mailbox", ArgumentKind.Text)],
            Build = b => Targets.Build(b, b.Text("mailbox"), b.ParameterAt("mailbox")) is { } target ? new FileIntoOp(target, b.Has("copy")) : null,
        },
        new("redirect", CommandKind.Action)
        {
            Tags =
            [
                new("copy", Extension: "copy"),
                new("list", Extension: "extlists"),
                new("notify", ArgumentKind.Text, Extension: "redirect-dsn"),
                new("ret", ArgumentKind.Text, Extension: "redirect-dsn"),
                new("bytimerelative", ArgumentKind.Number, "time limit", "redirect-deliverby"),
                new("bytimeabsolute", ArgumentKind.Text, "time limit", "redirect-deliverby"),
                new("bymode", ArgumentKind.Text, Extension: "redirect-deliverby"),
                new("bytrace", Extension: "redirect-deliverby"),
            ],
            Parameters = [new("address", ArgumentKind.Text)],
            Build = BuildRedirect,
        },
    ];

    private static RedirectOp? BuildRedirect(Bound b)
    {
        TextExpr address = b.Text("address");
        SourcePosition at = b.ParameterAt("address");
        if (b.Has("list"))
        {
            if (address.Constant is { } list && !SieveExternalList.IsName(list))
            {
                b.Error(at, $"\"{list}\" is no name of a list", "an absolute URI, or a name like \":addrbook:default\"");
                return null;
            }
        }
        else if (address.Constant is { } constant)
        {
            if (Addresses.Read(constant) is not { } parsed)
            {
                b.Error(at, $"\"{constant}\" is not an e-mail address");
                return null;
            }
            if (b.Compiler.Check.OwnerAddresses.Contains(parsed)) b.Warn(at, $"this redirects to the script's own owner, {parsed}", "'keep' stores the message");
        }
        if ((b.Has("bymode") || b.Has("bytrace")) && !b.Has("bytimerelative") && !b.Has("bytimeabsolute"))
        {
            b.Error("':bymode' and ':bytrace' need ':bytimerelative' or ':bytimeabsolute'");
            return null;
        }
        if (b.TagText("notify")?.Constant is { } notify && RedirectOp.Notify(notify) is null)
        {
            b.Error(b.TagAt("notify"), $"\"{notify}\" is no condition of a notification", "\"NEVER\", or some of \"SUCCESS,FAILURE,DELAY\"");
            return null;
        }
        if (b.TagText("ret")?.Constant is { } ret && !ret.Equals("FULL", StringComparison.OrdinalIgnoreCase) && !ret.Equals("HDRS", StringComparison.OrdinalIgnoreCase))
        {
            b.Error(b.TagAt("ret"), "':ret' needs \"FULL\" or \"HDRS\"");
            return null;
        }
        if (b.TagText("bymode")?.Constant is { } mode && !mode.Equals("notify", StringComparison.OrdinalIgnoreCase) && !mode.Equals("return", StringComparison.OrdinalIgnoreCase))
        {
            b.Error(b.TagAt("bymode"), "':bymode' needs \"notify\" or \"return\"");
            return null;
        }
        return new(address)
        {
            IsCopy = b.Has("copy"),
            IsList = b.Has("list"),
            NotifyText = b.TagText("notify"),
            ReturnText = b.TagText("ret"),
            Relative = b.TagNumber("bytimerelative"),
            Absolute = b.TagText("bytimeabsolute"),
            Mode = b.TagText("bymode"),
            Trace = b.Has("bytrace"),
        };
    }

    private sealed class DiscardOp : Op
    {
        public override Flow Run(Execution x)
        {
            x.Result.Discard();
            return Flow.Next;
        }
    }

    private sealed class KeepOp(TextListExpr? flags) : Op
    {
        public override Flow Run(Execution x)
        {
            x.Result.Keep(flags is null ? [.. x.Flags] : FlagList.Parse(flags.Eval(x)));
            return Flow.Next;
        }
    }

    private sealed class FileIntoOp(Targets target, bool copy) : Op
    {
        public override Flow Run(Execution x)
        {
            x.Result.FileInto(target.Eval(x, useInternalFlags: true), copy);
            return Flow.Next;
        }
    }

    private sealed class RedirectOp(TextExpr address) : Op
    {
        public bool IsCopy { get; init; }
        public bool IsList { get; init; }
        public TextExpr? NotifyText { get; init; }
        public TextExpr? ReturnText { get; init; }
        public long? Relative { get; init; }
        public TextExpr? Absolute { get; init; }
        public TextExpr? Mode { get; init; }
        public bool Trace { get; init; }

        public override Flow Run(Execution x)
        {
            SieveRedirectOptions options = Options(x);
            // Who asks for reports gets them: the owner (RFC 6009 sections 6.1 and 7.1).
            bool toOwner = options.Notify is not null || options.Return is not null || options.DeliverBy is not null;
            string sender = Senders.Choose(x, toOwner ? new(SieveSenderPolicy.Owner) : x.Settings.RedirectSender);
            foreach (EmailAddress to in Recipients(x))
                x.Result.Redirect(new(to, sender, x.View.BeforeEnclosing ?? x.View.Image, options), IsCopy);
            return Flow.Next;
        }

        private IEnumerable<EmailAddress> Recipients(Execution x)
        {
            string text = address.Eval(x);
            if (!IsList) return [Addresses.Read(text) ?? throw new SieveRunException($"\"{text}\" is not an e-mail address to redirect to")];
            return x.ExternalList(text).Members.Select(m => Addresses.Read(m) ?? throw new SieveRunException($"the list \"{text}\" holds \"{m}\", which is no e-mail address"));
        }

        private SieveRedirectOptions Options(Execution x)
        {
            if (NotifyText is null && ReturnText is null && Relative is null && Absolute is null) return SieveRedirectOptions.None;
            DateTimeOffset? by = Relative is { } seconds ? x.Now.AddSeconds(Math.Min(seconds, 999_999_999)) : null;
            if (Absolute?.Eval(x) is { } text)
            {
                // RFC 6009 section 7.2 itself joins a zone of four digits to it.
                string[] forms = ["yyyy-MM-dd'T'HH:mm:sszzz", "yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz"];
                string colon = text.Length > 5 && text[^5] is '+' or '-' ? text.Insert(text.Length - 2, ":") : text;
                if (!DateTimeOffset.TryParseExact(colon, forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at))
                    throw new SieveRunException($"\"{text}\" is not a date and time like 2011-02-03T20:00:00Z");
                by = at;
            }
            return new()
            {
                Notify = NotifyText?.Eval(x) is { } notify ? Notify(notify) ?? throw new SieveRunException($"\"{notify}\" is no condition of a notification") : null,
                Return = ReturnText?.Eval(x).ToUpperInvariant(),
                DeliverBy = by,
                ReturnWhenLate = Mode?.Eval(x).Equals("notify", StringComparison.OrdinalIgnoreCase) != true,
                Trace = Trace,
            };
        }

        public static string? Notify(string text)
        {
            string[] words = text.ToUpperInvariant().Split(',', StringSplitOptions.TrimEntries);
            if (words is ["NEVER"]) return "NEVER";
            return Array.TrueForAll(words, w => w is "SUCCESS" or "FAILURE" or "DELAY") ? string.Join(',', words) : null;
        }
    }
}

/// <summary>Addresses that a script sends to.</summary>
internal static class Addresses
{
    /// <summary>The address of <c>addr-spec</c> or <c>phrase &lt;addr-spec&gt;</c> (RFC 5228 section 2.4.2.3).</summary>
    public static EmailAddress? Read(string text) =>
        AddressParser.ParseOne(text) is { } one && DomainName.TryCreate(one.Domain, out DomainName domain) && EmailAddress.TryCreate(one.LocalPart, domain, out EmailAddress address)
            ? address
            : null;
}

/// <summary>Envelope senders of mail that scripts cause.</summary>
internal static class Senders
{
    /// <summary>The address, or nothing for the null path, which a message with the null path always keeps (RFC 5228 section 4.2).</summary>
    public static string Choose(Execution x, SieveSender sender)
    {
        SieveEnvelope envelope = x.Context.Envelope;
        if (envelope.From.Length == 0 && !x.Context.IsImapEvent) return "";
        return sender.Policy switch
        {
            SieveSenderPolicy.Recipient => envelope.To,
            SieveSenderPolicy.OriginalRecipient => envelope.OriginalTo ?? envelope.To,
            SieveSenderPolicy.Owner => Owner(x),
            SieveSenderPolicy.Postmaster => x.Context.Postmaster,
            SieveSenderPolicy.Fixed => sender.Address ?? "",
            _ => x.Context.IsImapEvent ? Owner(x) : envelope.From,
        };
    }

    /// <summary>
    /// The author that ":from" names, or null, so that the owner's own address counts, where he may not send as that one: what he may not write by submission a script does not write for him
    /// (RFC 5230 section 4.3 and RFC 5435 section 3.3 let the site decide).
    /// </summary>
    public static string? Author(Execution x, string? from)
    {
        if (from is null || x.Context.Owner is not { } owner) return from;
        foreach (ParsedAddress named in AddressParser.Parse(from))
        {
            if (Addresses.Read(named.All) is { } address && (address == owner || x.Asks(new SieveQuestion.MaySendAs(address)))) continue;
            x.Note($"{owner} may not send as {named.All}: the mail is from {owner}");
            return null;
        }
        return from;
    }

    /// <summary>The owner's address, as well as it is known.</summary>
    public static string Owner(Execution x) =>
        x.Context.Owner?.ToString() ?? (x.Context.Envelope.To is { Length: > 0 } to ? to : x.Context.Postmaster);
}
