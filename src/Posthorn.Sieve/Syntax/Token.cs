namespace Posthorn.Sieve.Syntax;

/// <summary>The tokens of RFC 5228 section 8.1.</summary>
internal enum TokenKind
{
    End,
    Identifier,
    Tag,
    Number,
    QuotedString,
    MultiLine,
    LeftBracket,
    RightBracket,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    Comma,
    Semicolon,
    /// <summary>Already reported; the parser treats it as a place to recover.</summary>
    Bad,
}

/// <summary>One token: its kind, place, and text (an identifier's or tag's name, a string's value).</summary>
internal readonly record struct Token(TokenKind Kind, SourcePosition At, string Text, long Number = 0);
