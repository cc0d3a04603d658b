using Posthorn.Core;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>Tests of the mail store: RFC 5490, RFC 8579, RFC 9042, and valid_ext_list (RFC 6134 section 2.7).</summary>
internal static class MailboxTests
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("mailboxexists", CommandKind.Test, "mailbox")
        {
            Parameters = [new("mailbox names", ArgumentKind.TextList)],
            BuildTest = b =>
            {
                WarnOfNames(b);
                return new All(b.List("mailbox names"), Exists);
            },
        },
        new("mailboxidexists", CommandKind.Test, "mailboxid")
        {
            Parameters = [new("mailbox ids", ArgumentKind.TextList)],
            BuildTest = b => new All(b.List("mailbox ids"), (x, id) => x.Asks(new SieveQuestion.MailboxIdExists(id))),
        },
        new("specialuse_exists", CommandKind.Test, "special-use")
        {
            Parameters = [new("mailbox", ArgumentKind.Text, IsOptional: true), new("special uses", ArgumentKind.TextList)],
            BuildTest = b => CheckUses(b) ? new SpecialUseTest(b.HasParameter("mailbox") ? b.Text("mailbox") : null, b.List("special uses")) : null,
        },
        new("metadata", CommandKind.Test, "mboxmetadata")
        {
            Tags = MatchArguments.Tags,
            Parameters = [new("mailbox", ArgumentKind.Text), new("annotation", ArgumentKind.Text), new("keys", ArgumentKind.TextList)],
            BuildTest = b => CheckEntry(b, b.Text("annotation")) && MatchArguments.Plan(b) is { } plan ? new Metadata(plan, b.Text("mailbox"), b.Text("annotation")) : null,
        },
        new("metadataexists", CommandKind.Test, "mboxmetadata")
        {
            Parameters = [new("mailbox", ArgumentKind.Text), new("annotations", ArgumentKind.TextList)],
            BuildTest = b => b.List("annotations").Items.All(e => CheckEntry(b, e)) ? new MetadataExists(b.Text("mailbox"), b.List("annotations")) : null,
        },
        new("servermetadata", CommandKind.Test, "servermetadata")
        {
            Tags = MatchArguments.Tags,
            Parameters = [new("annotation", ArgumentKind.Text), new("keys", ArgumentKind.TextList)],
            BuildTest = b => CheckEntry(b, b.Text("annotation")) && MatchArguments.Plan(b) is { } plan ? new Metadata(plan, null, b.Text("annotation")) : null,
        },
        new("servermetadataexists", CommandKind.Test, "servermetadata")
        {
            Parameters = [new("annotations", ArgumentKind.TextList)],
            BuildTest = b => b.List("annotations").Items.All(e => CheckEntry(b, e)) ? new MetadataExists(null, b.List("annotations")) : null,
        },
        new("valid_ext_list", CommandKind.Test, "extlists")
        {
            Parameters = [new("list names", ArgumentKind.TextList)],
            BuildTest = b => new All(b.List("list names"), (x, name) => x.FindExternalList(name) is not null),
        },
    ];

    private static void WarnOfNames(Bound b)
    {
        foreach (string name in b.List("mailbox names").Constant ?? [])
            if (!Mailboxes.TryRead(name, b.Compiler.Settings, out _)) b.Warn(b.ParameterAt("mailbox names"), $"\"{name}\" is no name for a mailbox, and none is ever found");
    }

    private static bool CheckUses(Bound b)
    {
        if (b.List("special uses").Constant is not { } uses) return true;
        foreach (string use in uses)
        {
            if (Targets.IsUse(use)) continue;
            b.Error(b.ParameterAt("special uses"), $"\"{use}\" is no special use", "for example \"\\\\Junk\"");
            return false;
        }
        return true;
    }

    // A wrong name is no error: the annotation just does not exist.
    private static bool CheckEntry(Bound b, TextExpr entry)
    {
        if (entry.Constant is not { } name || IsEntry(name)) return true;
        b.Warn(b.At, $"\"{name}\" is no name for an annotation, and none is ever found", "it begins with /private/ or /shared/");
        return true;
    }

    // RFC 5464 section 4.1.
    private static bool IsEntry(string name)
    {
        if (!name.StartsWith("/private/", StringComparison.OrdinalIgnoreCase) && !name.StartsWith("/shared/", StringComparison.OrdinalIgnoreCase)) return false;
        foreach (char c in name)
            if (c is '*' or '%' or <= '\x19' or '\x7f') return false;
        return name[^1] != '/' && !name.Contains("//", StringComparison.Ordinal);
    }

    private static bool Exists(Execution x, string name) =>
        Mailboxes.TryRead(name, x.Settings, out MailboxName mailbox) && x.Asks(new SieveQuestion.MailboxExists(mailbox));

    private sealed class All(TextListExpr items, Func<Execution, string, bool> holds) : Cond
    {
        protected override bool Test(Execution x)
        {
            foreach (string item in items.Eval(x))
                if (!holds(x, item)) return false;
            return true;
        }
    }

    private sealed class SpecialUseTest(TextExpr? mailbox, TextListExpr uses) : Cond
    {
        protected override bool Test(Execution x)
        {
            MailboxName? of = null;
            if (mailbox is not null)
            {
                if (!Mailboxes.TryRead(mailbox.Eval(x), x.Settings, out MailboxName name)) return false;
                of = name;
            }
            foreach (string use in uses.Eval(x))
                if (!Targets.IsUse(use) || !x.Asks(new SieveQuestion.SpecialUseExists(of, use))) return false;
            return true;
        }
    }

    private static string? Read(Execution x, TextExpr? mailbox, string entry)
    {
        MailboxName? of = null;
        if (mailbox is not null)
        {
            if (!Mailboxes.TryRead(mailbox.Eval(x), x.Settings, out MailboxName name)) return null;
            of = name;
        }
        // Names of annotations have no case (RFC 5464 section 4.1).
        return IsEntry(entry) ? x.Ask<SieveAnswer.Text>(new SieveQuestion.Metadata(of, entry.ToLowerInvariant())).Value : null;
    }

    private sealed class Metadata(MatchPlan plan, TextExpr? mailbox, TextExpr entry) : MatchTest(plan)
    {
        protected override bool Feed(Execution x, MatchPlan.MatchSession session) =>
            Read(x, mailbox, entry.Eval(x)) is { } value && session.Offer(value);
    }

    private sealed class MetadataExists(TextExpr? mailbox, TextListExpr entries) : Cond
    {
        protected override bool Test(Execution x)
        {
            foreach (string entry in entries.Eval(x))
                if (Read(x, mailbox, entry) is null) return false;
            return true;
        }
    }
}
