using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>body (RFC 5173).</summary>
internal static class BodyTest
{
    public static IReadOnlyList<CommandSpec> Specs { get; } =
    [
        new("body", CommandKind.Test, "body")
        {
            Tags =
            [
                .. MatchArguments.Tags,
                new("raw", Group: "transform"), new("text", Group: "transform"), new("content", ArgumentKind.TextList, "transform"),
            ],
            Parameters = [new("keys", ArgumentKind.TextList)],
            BuildTest = b => MatchArguments.Plan(b, setsVariables: false) is { } plan ? new Body(plan, b.Has("raw"), b.TagList("content")) : null,
        },
    ];

    private sealed class Body(MatchPlan plan, bool raw, TextListExpr? content) : MatchTest(plan)
    {
        protected override bool Feed(Execution x, MatchPlan.MatchSession session)
        {
            ISievePart root = x.BasePart;
            if (!root.HasBody) return false;
            if (raw) return session.Offer(SieveText.FromUtf8(x.View.Message.Read(root.BodyStart, Math.Min(root.End - root.BodyStart, x.Limits.MaxBodySize)).Span));
            List<ISievePart> parts = [];
            PartLoop.Collect(root, parts);
            string[]? types = content?.Eval(x);
            foreach (ISievePart part in parts)
            {
                if (types is null ? !IsText(part) : !Array.Exists(types, t => Fits(part, t))) continue;
                x.Budget.Spend(1 + (part.End - part.BodyStart) / 64);
                if (types is null ? part.DecodeText(x.Limits.MaxBodySize) is { } text && session.Offer(HtmlText.OfPart(part, text)) : Content(x, session, part)) return true;
            }
            return false;
        }

        // RFC 5173 section 5.3; application/xhtml+xml is text by another name.
        private static bool IsText(ISievePart part) => part.Type == "text" && !part.Subtype.Contains('/', StringComparison.Ordinal) || HtmlText.IsHtml(part);

        // RFC 5173 section 5.2.
        private static bool Fits(ISievePart part, string type)
        {
            if (type.Length == 0) return true;
            int slash = type.IndexOf('/', StringComparison.Ordinal);
            if (slash < 0) return type.Equals(part.Type, StringComparison.OrdinalIgnoreCase);
            if (slash == 0 || slash == type.Length - 1 || type.IndexOf('/', slash + 1) >= 0) return false;
            return type[..slash].Equals(part.Type, StringComparison.OrdinalIgnoreCase) && type[(slash + 1)..].Equals(part.Subtype, StringComparison.OrdinalIgnoreCase);
        }

        private static bool Content(Execution x, MatchPlan.MatchSession session, ISievePart part)
        {
            if (part.Type == "message" && part.Subtype == "rfc822" && part.Children.Count > 0)
                return session.Offer(SieveText.FromUtf8(WithoutEmptyLine(x.View.HeaderOf(part.Children[0]).Span)));
            if (part.Type != "multipart" || part.Children.Count == 0) return session.Offer(Decoded(x, part));
            // The prologue and the epilogue, each by itself.
            ISieveMessage message = x.View.Message;
            ReadOnlyMemory<byte> prologue = message.Read(part.BodyStart, part.Children[0].Start - part.BodyStart);
            ReadOnlyMemory<byte> epilogue = message.Read(part.Children[^1].End, part.End - part.Children[^1].End);
            return session.Offer(SieveText.FromUtf8(BeforeBoundary(prologue.Span))) || session.Offer(SieveText.FromUtf8(AfterBoundary(epilogue.Span)));
        }

        private static ReadOnlySpan<byte> BeforeBoundary(ReadOnlySpan<byte> text)
        {
            text = text.TrimEnd("\r\n"u8);
            int line = text.LastIndexOf((byte)'\n');
            return line < 0 ? default : text[..(line + 1)];
        }

        private static ReadOnlySpan<byte> AfterBoundary(ReadOnlySpan<byte> text)
        {
            text = text.TrimStart("\r\n"u8);
            int line = text.IndexOf((byte)'\n');
            return line < 0 ? default : text[(line + 1)..];
        }

        private static ReadOnlySpan<byte> WithoutEmptyLine(ReadOnlySpan<byte> header) =>
            header.EndsWith("\r\n\r\n"u8) ? header[..^2] : header.EndsWith("\n\n"u8) ? header[..^1] : header;

        private static string Decoded(Execution x, ISievePart part) => part.DecodeText(x.Limits.MaxBodySize) ?? SieveText.FromUtf8(part.DecodeBody(x.Limits.MaxBodySize).Span);
    }
}
