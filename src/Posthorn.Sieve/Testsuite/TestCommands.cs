using System.Globalization;
using Posthorn.Core;
using Posthorn.Sieve.Language;
using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Testsuite;

/// <summary>The commands and tests of vnd.dovecot.testsuite.</summary>
internal static class TestCommands
{
    private const string Extension = "vnd.dovecot.testsuite";

    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("test", CommandKind.Control, Extension)
        {
            Parameters = [new("name", ArgumentKind.Text)],
            HasBlock = true,
            Build = b => new BlockOp(b.Text("name"), b.Block),
        },
        Command("test_fail", [Text("reason")], (b, _) => Do(b, (x, _) => throw new TestFailedException(b.Text("reason").Eval(x)))),
        Command("test_set", [Text("name"), Text("value")], (b, _) => Do(b, Set)),
        Command("test_message_print", [], (b, _) => Do(b, (x, _) => x.Tests!.Print(SieveText.FromUtf8(x.View.Image.ToBytes().Span)))),
        Command("test_result_print", [], (b, _) => Do(b, (x, _) => x.Tests!.Print(string.Join(", ", x.Tests!.Actions.Select(a => a.Name))))),
        Command("test_result_reset", [], (b, _) => Do(b, (x, _) => x.Tests!.ResetResult())),
        Command("test_mailbox_create", [Text("mailbox")], (b, _) => Do(b, (x, _) => x.Tests!.Store.Create(Mailboxes.Read(b.Text("mailbox").Eval(x), x.Settings)))),
        Command("test_mailbox_delete", [Text("mailbox")], (b, _) => Do(b, (x, _) => x.Tests!.Store.Delete(Mailboxes.Read(b.Text("mailbox").Eval(x), x.Settings)))),
        Command("test_config_set", [Text("name"), Text("value")], (b, _) => Do(b, (x, _) => x.Tests!.Configure(b.Text("name").Eval(x), b.Text("value").Eval(x)))),
        Command("test_config_unset", [Text("name")], (b, _) => Do(b, (x, _) => x.Tests!.Configure(b.Text("name").Eval(x), null))),
        Command("test_binary_save", [Text("name")], (b, _) => Do(b, (x, _) => x.Tests!.SaveBinary(b.Text("name").Eval(x)))),
        Command("test_binary_load", [Text("name")], (b, _) => Do(b, (x, _) =>
        {
            if (!x.Tests!.LoadBinary(b.Text("name").Eval(x))) throw new TestFailedException("there is no binary of that name");
        })),
        new("test_config_reload", CommandKind.Action, Extension)
        {
            Tags = [new("extension", ArgumentKind.Text)],
            Build = b => Do(b, (x, _) =>
            {
                string? name = b.TagText("extension")?.Eval(x);
                if (!x.Tests!.Reload(name)) throw new SieveRunException($"there is no extension \"{name}\"");
            }),
        },
        new("test_imap_metadata_set", CommandKind.Action, Extension)
        {
            Tags = [new("mailbox", ArgumentKind.Text)],
            Parameters = [Text("annotation"), Text("value")],
            Build = b => Do(b, (x, _) =>
            {
                MailboxName? mailbox = b.TagText("mailbox") is { } name ? Mailboxes.Read(name.Eval(x), x.Settings) : null;
                x.Tests!.Store.SetMetadata(mailbox, b.Text("annotation").Eval(x), b.Text("value").Eval(x));
            }),
        },
        new("test_message", CommandKind.Action, Extension) { Tags = MessageTags, Parameters = [new("number", ArgumentKind.Number)], Build = BuildMessage },
        new("test_message", CommandKind.Test, Extension) { Tags = MessageTags, Parameters = [new("number", ArgumentKind.Number)], BuildTest = BuildMessageTest },
        Test("test_script_compile", [Text("script")], b => new Ask(x => x.Tests!.Compile(b.Text("script").Eval(x)))),
        new("test_script_run", CommandKind.Test, Extension) { Tags = [new("append_result")], BuildTest = b => new Ask(x => x.Tests!.RunScript(b.Has("append_result"))) },
        Test("test_result_execute", [], _ => new Ask(x => x.Tests!.Execute())),
        Test("test_multiscript", [new("scripts", ArgumentKind.TextList)], b => new Ask(x => x.Tests!.RunChain(b.List("scripts").Eval(x)))),
        Words("test_error", x => x.Tests!.Errors),
        Words("test_result_action", x => [.. x.Tests!.Actions.Select(a => a.Name)], x => x.Tests!.CountedActions.Count),
    ];

    private static TagSpec[] MessageTags => [new("smtp", Group: "place"), new("folder", ArgumentKind.Text, "place")];

    private static ParamSpec Text(string name) => new(name, ArgumentKind.Text);

    private static CommandSpec Command(string name, ParamSpec[] parameters, Func<Bound, int, Op> build) =>
        new(name, CommandKind.Action, Extension) { Parameters = parameters, Build = b => build(b, 0) };

    private static CommandSpec Test(string name, ParamSpec[] parameters, Func<Bound, Cond> build) =>
        new(name, CommandKind.Test, Extension) { Parameters = parameters, BuildTest = build };

    private static CommandSpec Words(string name, Func<Execution, IReadOnlyList<string>> words, Func<Execution, int>? count = null) => new(name, CommandKind.Test, Extension)
    {
        Tags = [.. MatchArguments.Tags, new("index", ArgumentKind.Number)],
        Parameters = [new("keys", ArgumentKind.TextList)],
        BuildTest = b => MatchArguments.Plan(b) is { } plan ? new WordTest(plan, words, count, (int)(b.TagNumber("index") ?? 0)) : null,
    };

    private static DoOp Do(Bound b, Action<Execution, Bound> run) => new(x => run(x, b));

    private static void Set(Execution x, Bound b)
    {
        TestState state = x.Tests!;
        string name = b.Text("name").Eval(x).ToLowerInvariant();
        string value = b.Text("value").Eval(x);
        if (name == "message")
        {
            state.SetMessage(SieveText.ToUtf8(value));
            return;
        }
        SieveEnvelope envelope = state.Context.Envelope;
        // What is no path stays as it is, and no test matches it.
        string address = value.Trim() is "<>" or "" ? "" : EnvelopePath.Read(value) is { } path ? path.All : value;
        state.SetEnvelope(name switch
        {
            "envelope.from" => envelope with { From = address },
            "envelope.to" => envelope with { To = address, OriginalTo = address },
            "envelope.orig_to" => envelope with { OriginalTo = address },
            "envelope.auth" => envelope with { Auth = value },
            _ => throw new SieveRunException($"there is nothing named \"{name}\" to set"),
        });
    }

    private static DoOp BuildMessage(Bound b) => new(x =>
    {
        if (!LoadMessage(b, x)) throw new TestFailedException(string.Create(CultureInfo.InvariantCulture, $"there is no message {b.Number("number")}"));
    });

    private static Ask BuildMessageTest(Bound b) => new(x => LoadMessage(b, x));

    private static bool LoadMessage(Bound b, Execution x)
    {
        TestState state = x.Tests!;
        int number = (int)Math.Min(b.Number("number"), int.MaxValue);
        if (b.TagText("folder") is { } folder)
        {
            string name = folder.Eval(x);
            if (!Mailboxes.TryRead(name, x.Settings, out MailboxName mailbox)) throw new TestFailedException($"\"{name}\" is no name for a mailbox");
            if (state.Store.Messages(mailbox) is not { } messages || number >= messages.Count) return false;
            state.LoadMessage(messages[number].Octets, null);
            x.Flags = FlagList.Parse(messages[number].Flags);
            return true;
        }
        // One message for each recipient, as they would go out.
        int index = 0;
        foreach (SieveMail mail in state.Store.Sent)
            foreach (EmailAddress to in mail.Recipients)
            {
                if (index++ != number) continue;
                state.LoadMessage(mail.Octets, new() { From = mail.Sender, To = to.ToString(), OriginalTo = to.ToString() });
                return true;
            }
        return false;
    }

    private sealed class DoOp(Action<Execution> run) : Op
    {
        public override Flow Run(Execution x)
        {
            run(x);
            return Flow.Next;
        }
    }

    private sealed class Ask(Func<Execution, bool> holds) : Cond
    {
        protected override bool Test(Execution x) => holds(x);
    }

    private sealed class WordTest(MatchPlan plan, Func<Execution, IReadOnlyList<string>> words, Func<Execution, int>? count, int index) : MatchTest(plan)
    {
        protected override bool Feed(Execution x, MatchPlan.MatchSession session)
        {
            IReadOnlyList<string> all = words(x);
            if (session.IsCount && count is not null && index == 0)
            {
                session.Count(count(x));
                return false;
            }
            if (index > 0) return index <= all.Count && session.Offer(all[index - 1]);
            foreach (string word in all)
                if (session.Offer(word)) return true;
            return false;
        }
    }

    private sealed class BlockOp(TextExpr name, Op[] block) : Op
    {
        public override Flow Run(Execution x)
        {
            TestState state = x.Tests!;
            string title = name.Eval(x);
            state.Begin();
            Frame frame = x.Frame;
            try
            {
                Flow flow = x.RunBlock(block);
                if (flow is Flow.Stop or Flow.Return)
                {
                    state.Unbegin();
                    return flow;
                }
                state.End(title, null);
            }
            catch (TestFailedException failed) when (!state.InScript)
            {
                x.Frame = frame;
                x.Frame.Loops.Clear();
                state.End(title, failed.Message);
            }
            return Flow.Next;
        }
    }
}
