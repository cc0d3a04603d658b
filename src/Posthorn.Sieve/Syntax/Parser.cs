namespace Posthorn.Sieve.Syntax;

/// <summary>Builds the tree of a script (RFC 5228 section 8.2). Reports each mistake once and goes on at the next command.</summary>
internal sealed class Parser
{
    private readonly Lexer _lexer;
    private readonly Diagnostics _diagnostics;
    private readonly SieveLimits _limits;
    private Token _token;
    private int _commands;

    private Parser(string source, SieveLimits limits, Diagnostics diagnostics)
    {
        _lexer = new(source, diagnostics);
        _diagnostics = diagnostics;
        _limits = limits;
        _token = _lexer.Next();
    }

    public static SieveTree Parse(string source, SieveLimits limits, Diagnostics diagnostics)
    {
        Parser parser = new(source, limits, diagnostics);
        List<SieveCommand> commands = [];
        while (true)
        {
            parser.Commands(commands, 0);
            if (parser._token.Kind == TokenKind.End || diagnostics.IsFull) break;
            diagnostics.Error(parser._token.At, "this '}' closes nothing");
            parser.Advance();
        }
        return new(commands);
    }

    private void Advance() => _token = _lexer.Next();

    private bool Is(TokenKind kind) => _token.Kind == kind;

    // commands = *command, up to '}' or the end.
    private void Commands(List<SieveCommand> into, int depth)
    {
        while (!Is(TokenKind.End) && !Is(TokenKind.RightBrace) && !_diagnostics.IsFull)
        {
            if (!Is(TokenKind.Identifier))
            {
                // A bad token has been reported already.
                if (!Is(TokenKind.Bad)) _diagnostics.Error(_token.At, $"expected a command, found {Describe(_token)}");
                Recover();
                continue;
            }
            if (++_commands > _limits.MaxCommands)
            {
                _diagnostics.Error(_token.At, $"the script has more than {_limits.MaxCommands} commands");
                while (!Is(TokenKind.End)) Advance();
                return;
            }
            if (Command(depth) is { } command) into.Add(command);
        }
    }

    // command = identifier arguments (";" / block); null when it could not be read.
    private SieveCommand? Command(int depth)
    {
        Token name = _token;
        Advance();
        List<SieveArgument> arguments = [];
        List<SieveTest> tests = [];
        bool isList = false;
        if (!Arguments(arguments, tests, ref isList, 0))
        {
            Recover();
            return null;
        }
        if (Is(TokenKind.Semicolon))
        {
            Advance();
            return new(name.At, name.Text, arguments, tests, isList, null);
        }
        if (Is(TokenKind.LeftBrace)) return new(name.At, name.Text, arguments, tests, isList, Block(depth + 1));
        if (Is(TokenKind.Bad))
        {
            Recover();
            return null;
        }
        _diagnostics.Error(_token.At, $"expected ';' or a block after '{name.Text}', found {Describe(_token)}",
            Is(TokenKind.Identifier) || Is(TokenKind.RightBrace) || Is(TokenKind.End) ? "a ';' is missing" : null);
        // A forgotten ';' spoils nothing that follows; anything else is skipped.
        if (!Is(TokenKind.Identifier) && !Is(TokenKind.RightBrace)) Recover();
        return new(name.At, name.Text, arguments, tests, isList, null);
    }

    private List<SieveCommand> Block(int depth)
    {
        List<SieveCommand> commands = [];
        Token open = _token;
        if (depth > _limits.MaxBlockDepth)
        {
            _diagnostics.Error(open.At, $"blocks are nested more than {_limits.MaxBlockDepth} deep");
            SkipBlock();
            return commands;
        }
        Advance();
        Commands(commands, depth);
        if (Is(TokenKind.RightBrace)) Advance();
        else if (!_diagnostics.IsFull) _diagnostics.Error(open.At, "this '{' is never closed", "add the missing '}'");
        return commands;
    }

    // arguments = *argument [ test / test-list ]
    private bool Arguments(List<SieveArgument> arguments, List<SieveTest> tests, ref bool isList, int depth)
    {
        while (true)
        {
            Token token = _token;
            switch (token.Kind)
            {
                case TokenKind.QuotedString or TokenKind.MultiLine:
                    arguments.Add(new SieveArgument.Text(token.At, token.Text, token.Kind == TokenKind.MultiLine));
                    Advance();
                    break;
                case TokenKind.Number:
                    arguments.Add(new SieveArgument.Number(token.At, token.Number));
                    Advance();
                    break;
                case TokenKind.Tag:
                    arguments.Add(new SieveArgument.Tag(token.At, token.Text));
                    Advance();
                    break;
                case TokenKind.LeftBracket:
                    if (!StringList(arguments)) return false;
                    break;
                case TokenKind.LeftParen:
                    isList = true;
                    return TestList(tests, depth + 1);
                case TokenKind.Identifier:
                    if (Test(depth + 1) is not { } test) return false;
                    tests.Add(test);
                    return true;
                default:
                    return true;
            }
        }
    }

    // string-list = "[" string *("," string) "]"
    private bool StringList(List<SieveArgument> arguments)
    {
        SourcePosition at = _token.At;
        List<SieveArgument.Text> items = [];
        Advance();
        if (Is(TokenKind.RightBracket))
        {
            _diagnostics.Error(at, "a string list must hold at least one string");
            Advance();
            arguments.Add(new SieveArgument.TextList(at, items));
            return true;
        }
        while (true)
        {
            if (!Is(TokenKind.QuotedString) && !Is(TokenKind.MultiLine))
            {
                if (!Is(TokenKind.Bad)) _diagnostics.Error(_token.At, $"expected a string in the list, found {Describe(_token)}");
                return false;
            }
            if (items.Count >= _limits.MaxListItems)
            {
                _diagnostics.Error(_token.At, $"the list holds more than {_limits.MaxListItems} strings");
                return false;
            }
            items.Add(new(_token.At, _token.Text, Is(TokenKind.MultiLine)));
            Advance();
            if (Is(TokenKind.Comma))
            {
                Advance();
                continue;
            }
            if (Is(TokenKind.RightBracket))
            {
                Advance();
                arguments.Add(new SieveArgument.TextList(at, items));
                return true;
            }
            if (!Is(TokenKind.Bad)) _diagnostics.Error(_token.At, $"expected ',' or ']' in the list, found {Describe(_token)}");
            return false;
        }
    }

    // test-list = "(" test *("," test) ")"
    private bool TestList(List<SieveTest> tests, int depth)
    {
        if (depth > _limits.MaxTestDepth)
        {
            _diagnostics.Error(_token.At, $"tests are nested more than {_limits.MaxTestDepth} deep");
            return false;
        }
        Advance();
        while (true)
        {
            if (!Is(TokenKind.Identifier))
            {
                if (!Is(TokenKind.Bad)) _diagnostics.Error(_token.At, $"expected a test, found {Describe(_token)}");
                return false;
            }
            if (Test(depth) is not { } test) return false;
            tests.Add(test);
            if (Is(TokenKind.Comma))
            {
                Advance();
                continue;
            }
            if (Is(TokenKind.RightParen))
            {
                Advance();
                return true;
            }
            if (!Is(TokenKind.Bad)) _diagnostics.Error(_token.At, $"expected ',' or ')' after the test, found {Describe(_token)}");
            return false;
        }
    }

    private SieveTest? Test(int depth)
    {
        Token name = _token;
        if (depth > _limits.MaxTestDepth)
        {
            _diagnostics.Error(name.At, $"tests are nested more than {_limits.MaxTestDepth} deep");
            return null;
        }
        Advance();
        List<SieveArgument> arguments = [];
        List<SieveTest> tests = [];
        bool isList = false;
        return Arguments(arguments, tests, ref isList, depth) ? new(name.At, name.Text, arguments, tests, isList) : null;
    }

    // Skips to after the next ';' of this level, over whole blocks, or to before the '}' that ends this level.
    private void Recover()
    {
        while (true)
        {
            switch (_token.Kind)
            {
                case TokenKind.End or TokenKind.RightBrace:
                    return;
                case TokenKind.Semicolon:
                    Advance();
                    return;
                case TokenKind.LeftBrace:
                    SkipBlock();
                    return;
                default:
                    Advance();
                    break;
            }
        }
    }

    private void SkipBlock()
    {
        int depth = 0;
        do
        {
            if (Is(TokenKind.LeftBrace)) depth++;
            else if (Is(TokenKind.RightBrace)) depth--;
            Advance();
        }
        while (depth > 0 && !Is(TokenKind.End));
    }

    private static string Describe(Token token) => token.Kind switch
    {
        TokenKind.End => "the end of the script",
        TokenKind.Identifier => $"'{token.Text}'",
        TokenKind.Tag => $"':{token.Text}'",
        TokenKind.Number => $"the number {token.Text}",
        TokenKind.QuotedString or TokenKind.MultiLine => "a string",
        _ => $"'{token.Text}'",
    };
}
