using System.Text;
using Posthorn.Sieve.Composing;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>foreverypart, break, extracttext, replace and enclose (RFC 5703).</summary>
internal static class PartCommands
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("foreverypart", CommandKind.Control, "foreverypart")
        {
            Tags = [new("name", ArgumentKind.Text)],
            HasBlock = true,
            Build = b => new LoopOp(b.Block, b.Compiler.LastLoop),
        },
        new("break", CommandKind.Control, "foreverypart") { Tags = [new("name", ArgumentKind.Text)], Build = BuildBreak },
        new("extracttext", CommandKind.Action, "extracttext")
        {
            Tags = [.. VariableCommands.Modifiers, new("first", ArgumentKind.Number)],
            Parameters = [new("variable name", ArgumentKind.Text)],
            Build = BuildExtract,
        },
        new("replace", CommandKind.Action, "replace")
        {
            Tags = [new("mime"), new("subject", ArgumentKind.Text), new("from", ArgumentKind.Text)],
            Parameters = [new("replacement", ArgumentKind.Text)],
            Build = BuildReplace,
        },
        new("enclose", CommandKind.Action, "enclose")
        {
            Tags = [new("subject", ArgumentKind.Text), new("headers", ArgumentKind.TextList)],
            Parameters = [new("text", ArgumentKind.Text)],
            Build = b => new EncloseOp(b.TagText("subject"), b.TagList("headers"), b.Text("text")),
        },
    ];

    private static ControlOps.Break? BuildBreak(Bound b)
    {
        string? name = b.TagText("name")?.Source;
        for (int i = b.Compiler.Loops.Count - 1; i >= 0; i--)
            if (name is null || b.Compiler.Loops[i].Name == name) return new(b.Compiler.Loops[i].Id);
        b.Error(name is null ? "'break' stands in no loop" : $"there is no loop named \"{name}\" around this 'break'");
        return null;
    }

    private static ExtractOp? BuildExtract(Bound b)
    {
        if (VariableCommands.Name(b, b.Text("variable name"), b.ParameterAt("variable name")) is not { } target) return null;
        if (b.Compiler.Loops.Count == 0)
        {
            b.Error("'extracttext' must stand in a foreverypart loop");
            return null;
        }
        return new(target, VariableCommands.FindModifiers(b), (int)Math.Min(b.TagNumber("first") ?? int.MaxValue, int.MaxValue));
    }

    private static ReplaceOp? BuildReplace(Bound b)
    {
        if (b.Has("mime") && (b.Has("subject") || b.Has("from")))
        {
            b.Error(b.TagAt("mime"), "':subject' and ':from' cannot be used together with ':mime'", "write them into the replacement");
            return null;
        }
        if (b.TagText("from")?.Constant is { } from && !IsMailboxList(from))
        {
            b.Error(b.TagAt("from"), $"\"{from}\" is not a list of e-mail addresses");
            return null;
        }
        return new(b.Text("replacement"), b.Has("mime"), b.TagText("subject"), b.TagText("from"));
    }

    public static bool IsMailboxList(string text)
    {
        List<ParsedAddress> parsed = AddressParser.Parse(text);
        return parsed.Count > 0 && parsed.TrueForAll(a => a.IsValid && a.Domain.Length > 0);
    }

    private sealed class LoopOp(Op[] block, int id) : Op
    {
        public override Flow Run(Execution x)
        {
            List<PartLoop> loops = x.Frame.Loops;
            // The loops of the scripts that include this one count as well.
            if (x.Frame.OuterLoops + loops.Count >= x.Limits.MaxLoopDepth)
                throw new SieveRunException($"loops are nested more than {x.Limits.MaxLoopDepth} deep", SieveFailure.Limit);
            PartLoop loop = new(x.View, loops.Count > 0 ? loops[^1] : x.Frame.OuterLoop);
            loops.Add(loop);
            Flow flow = Flow.Next;
            while (flow == Flow.Next && loop.Advance())
            {
                x.Budget.Spend(1);
                flow = x.RunBlock(block);
            }
            loops.RemoveAt(loops.Count - 1);
            return flow == Flow.Break && x.BreakLoop == id ? Flow.Next : flow;
        }
    }

    private sealed class ExtractOp(TextPart target, string[] modifiers, int first) : Op
    {
        public override Flow Run(Execution x)
        {
            string text = x.Frame.Loops.Count == 0 ? "" : HtmlText.OfPart(x.CurrentPart, x.CurrentPart.DecodeText(x.Limits.MaxBodySize) ?? "");
            x.Budget.Spend(text.Length / 64);
            if (first < text.Length) text = First(text);
            text = SieveText.Truncate(text, x.Limits.MaxVariableSize);
            VariableCommands.Assign(x, target, VariableCommands.Modify(text, modifiers, x.Limits.MaxVariableSize));
            return Flow.Next;
        }

        // Characters, not UTF-16 units.
        private string First(string text)
        {
            int at = 0;
            for (int count = 0; count < first && at < text.Length; count++)
                at += char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;
            return text[..at];
        }
    }

    private sealed class ReplaceOp(TextExpr replacement, bool mime, TextExpr? subject, TextExpr? from) : Op
    {
        public override Flow Run(Execution x)
        {
            byte[] entity = SieveText.ToUtf8(replacement.Eval(x));
            byte[] header = Encoding.ASCII.GetBytes("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
            byte[] part = mime ? entity : [.. header, .. entity];
            if (x.Frame.Loops.Count > 0 && !ReferenceEquals(x.CurrentPart, x.View.Message.Root))
            {
                x.View.Replace(x.CurrentPart, part);
                return Flow.Next;
            }
            string? author = from?.Eval(x);
            if (author is not null && !IsMailboxList(author)) throw new SieveRunException($"\"{author}\" is not a list of e-mail addresses");
            x.View.Become(MessageEnclosing.ReplaceAll(x.View, part, subject?.Eval(x), author));
            return Flow.Next;
        }
    }

    private sealed class EncloseOp(TextExpr? subject, TextListExpr? headers, TextExpr text) : Op
    {
        public override Flow Run(Execution x)
        {
            x.View.BeforeEnclosing ??= x.View.Image;
            x.View.Become(MessageEnclosing.Enclose(x, subject?.Eval(x), headers?.Eval(x) ?? [], text.Eval(x)));
            return Flow.Next;
        }
    }
}
