using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Posthorn.Logging;

/// <summary>One event of the log: what happened, to which session or message, with named values.</summary>
internal readonly record struct LogLine(DateTimeOffset Time, LogLevel Level, string Category, string Event, IReadOnlyList<KeyValuePair<string, object?>> Values, Exception? Error)
{
    // Names stand in the code, so that there are few; each is turned once.
    private static readonly ConcurrentDictionary<string, string> KebabNames = new(StringComparer.Ordinal);

    /// <summary>A name of the code as logs write it.</summary>
    public static string Kebab(string name) => KebabNames.GetOrAdd(name, static n => JsonNamingPolicy.KebabCaseLower.ConvertName(n));

    /// <summary>Before the event, in the form that tools for Postfix's log know: time, host, program.</summary>
    public void AppendSyslogHead(StringBuilder line, string host) =>
        line.Append(CultureInfo.InvariantCulture, $"{Time.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {host} posthorn/{Category}[{Environment.ProcessId}]: ");

    /// <summary>Before the event, for people at a console: short time, level where it matters.</summary>
    public void AppendConsoleHead(StringBuilder line)
    {
        line.Append(CultureInfo.InvariantCulture, $"{Time.LocalDateTime:HH:mm:ss.fff} {Category,-8} ");
        if (Level >= LogLevel.Warning) line.Append(Level == LogLevel.Warning ? "WARNING " : "ERROR ");
    }

    /// <summary>One JSON object: time, level, category, event, then the values in camelCase.</summary>
    public string ToJson()
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartObject();
            json.WriteString("time", Time.UtcDateTime);
            json.WriteString("level", Level.ToString().ToLowerInvariant());
            json.WriteString("category", Category);
            json.WriteString("event", Event);
            foreach ((string key, object? value) in Values)
                if (key != "{OriginalFormat}") json.WriteString(JsonNamingPolicy.CamelCase.ConvertName(key), Text(value));
            if (Error is not null) json.WriteString("error", Error.ToString());
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    /// <summary>The event itself: id, name, key=value.</summary>
    public void AppendEvent(StringBuilder line)
    {
        string? id = Value("Queue") ?? Value("Message") ?? Value("Session");
        if (id is not null) line.Append(id).Append(": ");
        line.Append(Event);
        foreach ((string key, object? value) in Values)
        {
            if (key == "{OriginalFormat}") continue;
            string text = Text(value);
            if (text == id) continue;
            line.Append(' ').Append(Kebab(key)).Append('=');
            AppendValue(line, text);
        }
        if (Error is not null) line.Append(" error=").Append(Error.ToString().ReplaceLineEndings(" | "));
    }

    private string? Value(string key)
    {
        foreach ((string name, object? value) in Values)
            if (name == key) return Text(value);
        return null;
    }

    private static string Text(object? value) => value switch
    {
        null => "",
        DateTimeOffset time => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    // What peers send must not forge lines or break key=value: control characters are escaped, spaces quoted.
    private static void AppendValue(StringBuilder line, string text)
    {
        bool quote = text.Length == 0 || text.AsSpan().IndexOfAny(" \"=") >= 0;
        if (quote) line.Append('"');
        foreach (char c in text)
        {
            if (char.IsControl(c)) line.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
            else if (c == '"') line.Append("\\\"");
            else line.Append(c);
        }
        if (quote) line.Append('"');
    }
}
