using Posthorn.Core;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>A mailbox with the arguments that fileinto and :fcc share (RFC 5490, RFC 5232, RFC 8579, RFC 9042, RFC 8580 section 3.1).</summary>
internal sealed class Targets(TextExpr mailbox, bool create, TextListExpr? flags, TextExpr? specialUse, TextExpr? mailboxId)
{
    public static IReadOnlyList<TagSpec> Tags { get; } =
    [
        new("flags", ArgumentKind.TextList, Extension: "imap4flags") { MayTrail = false },
        new("create", Extension: "mailbox"),
        new("specialuse", ArgumentKind.Text, "mailbox choice", "special-use"),
        new("mailboxid", ArgumentKind.Text, "mailbox choice", "mailboxid"),
    ];

    /// <summary>For commands with :fcc; RFC 8580 section 5 shows these after the reason, too.</summary>
    public static IReadOnlyList<TagSpec> FccTags { get; } =
        [new("fcc", ArgumentKind.Text, Extension: "fcc") { MayTrail = true }, .. Tags.Select(t => t with { MayTrail = true })];

    public static Targets? Build(Bound b, TextExpr mailbox, SourcePosition at)
    {
        if (mailbox.Constant is { } name)
        {
            if (!Mailboxes.TryRead(name, b.Compiler.Settings, out MailboxName parsed))
            {
                b.Error(at, $"\"{name}\" is no name for a mailbox");
                return null;
            }
            if (b.Compiler.Check.MailboxExists is { } exists && !b.Has("create") && !b.Has("specialuse") && !b.Has("mailboxid") && !exists(parsed))
                b.Warn(at, $"there is no mailbox \"{name}\"", "create it, or use ':create'");
        }
        if (b.TagText("specialuse")?.Constant is { } use && !IsUse(use))
        {
            b.Error(b.TagAt("specialuse"), $"\"{use}\" is no special use", "for example \"\\\\Junk\"");
            return null;
        }
        if (b.TagList("flags") is { Constant: { } flags })
            foreach (string word in flags.SelectMany(f => f.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
                if (!FlagList.IsValid(word)) b.Warn(b.TagAt("flags"), $"\"{word}\" is no flag that can be set, and is ignored");
        return new(mailbox, b.Has("create"), b.TagList("flags"), b.TagText("specialuse"), b.TagText("mailboxid"));
    }

    /// <summary>The target of :fcc, or null without it; complains about its options without it.</summary>
    public static Targets? BuildFcc(Bound b, out bool good)
    {
        good = true;
        if (b.TagText("fcc") is { } mailbox)
        {
            Targets? target = Build(b, mailbox, b.TagAt("fcc"));
            good = target is not null;
            return target;
        }
        foreach (string option in (string[])["flags", "create", "specialuse", "mailboxid"])
        {
            if (!b.Has(option)) continue;
            b.Error(b.TagAt(option), $"':{option}' needs ':fcc' here");
            good = false;
        }
        return null;
    }

    public SieveTarget Eval(Execution x, bool useInternalFlags)
    {
        IReadOnlyList<string> set = flags is not null ? FlagList.Parse(flags.Eval(x)) : useInternalFlags ? [.. x.Flags] : [];
        string? use = specialUse?.Eval(x);
        if (use is not null && !IsUse(use)) throw new SieveRunException($"\"{use}\" is no special use");
        return new(Mailboxes.Read(mailbox.Eval(x), x.Settings), set) { Create = create, SpecialUse = use, MailboxId = mailboxId?.Eval(x) };
    }

    // use-attr = "\" atom (RFC 6154 section 6)
    public static bool IsUse(string use) => use.Length > 1 && use[0] == '\\' && Keyword.TryCreate(use[1..], out _);
}

/// <summary>Names of mailboxes in scripts: UTF-8, levels parted by the store's separator.</summary>
internal static class Mailboxes
{
    public static bool TryRead(string name, SieveSettings settings, out MailboxName mailbox)
    {
        mailbox = default;
        return SieveText.IsWellFormed(name) && MailboxName.TryCreate(name, settings.MailboxSeparator, out mailbox);
    }

    public static MailboxName Read(string name, SieveSettings settings) =>
        TryRead(name, settings, out MailboxName mailbox) ? mailbox : throw new SieveRunException($"invalid folder name \"{name}\": no mailbox can have it");
}
