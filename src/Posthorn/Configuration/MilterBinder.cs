using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Posthorn.Transport.Milter;

namespace Posthorn.Configuration;

/// <summary>Reads <c>[[milter]]</c>: mail filters, in the order in which they are asked.</summary>
internal static class MilterBinder
{
    /// <summary>The kernel keeps a socket's path in 108 bytes.</summary>
    private const int MaxSocketPath = 100;

    private static readonly string[] Listeners = ["smtp", "submission", "submissions", "lmtp"];

    public static MilterOptions? Read(ConfigReader reader)
    {
        string? address = reader.OptionalText("address");
        if (address is null) reader.Problem("a [[milter]] needs an address, such as address = \"inet:127.0.0.1:8891\" or address = \"unix:/run/opendkim/opendkim.sock\"");
        EndPoint? endPoint = address is null ? null : EndPointOf(address);
        if (address is not null && endPoint is null)
            reader.Problem(reader.PlaceOf("address"), $"'milter.address' is \"{address}\"; expected \"inet:ADDRESS:PORT\" or \"unix:/path\" (of at most {MaxSocketPath} bytes)");
        MilterOptions usual = new() { Name = "", EndPoint = new IPEndPoint(IPAddress.Loopback, 0) };
        List<string> listeners = [];
        foreach (string name in reader.Texts("listeners", usual.Listeners))
        {
            if (Listeners.Contains(name)) listeners.Add(name);
            else reader.Problem(reader.PlaceOf("listeners"), $"'milter.listeners' names \"{name}\"; known are {string.Join(", ", Listeners)}");
        }
        TimeSpan shortest = TimeSpan.FromMilliseconds(100), longest = TimeSpan.FromHours(1);
        MilterOptions options = usual with
        {
            Name = reader.Text("name", address ?? "milter"),
            EndPoint = endPoint ?? usual.EndPoint,
            Listeners = listeners,
            Fallback = reader.Choice("default-action", MilterFallback.TempFail, new Dictionary<string, MilterFallback>
            {
                ["tempfail"] = MilterFallback.TempFail, ["accept"] = MilterFallback.Accept, ["reject"] = MilterFallback.Reject, ["quarantine"] = MilterFallback.Quarantine,
            }),
            ConnectTimeout = reader.Duration("connect-timeout", usual.ConnectTimeout, shortest, longest),
            CommandTimeout = reader.Duration("command-timeout", usual.CommandTimeout, shortest, longest),
            ContentTimeout = reader.Duration("content-timeout", usual.ContentTimeout, shortest, longest),
            MessageTimeout = reader.Duration("message-timeout", usual.MessageTimeout, shortest, longest),
            Version = reader.Number("protocol", usual.Version, 2, 6),
            DaemonName = reader.OptionalText("daemon-name"),
            MaxIdle = reader.Number("idle-connections", usual.MaxIdle, 0, 1000),
            MaxChanges = reader.Number("changes", usual.MaxChanges, 1, 1_000_000),
        };
        return endPoint is null ? null : options;
    }

    // As Postfix and Sendmail write it, with and without the kind; of names only "localhost", since filters are asked before any DNS.
    private static EndPoint? EndPointOf(string text)
    {
        string path = text.StartsWith("unix:", StringComparison.Ordinal) ? text[5..] : text.StartsWith("local:", StringComparison.Ordinal) ? text[6..] : text;
        if (Path.IsPathRooted(path)) return System.Text.Encoding.UTF8.GetByteCount(path) <= MaxSocketPath ? new UnixDomainSocketEndPoint(path) : null;
        string place = text.StartsWith("inet:", StringComparison.Ordinal) ? text[5..] : text.StartsWith("inet6:", StringComparison.Ordinal) ? text[6..] : text;
        (string host, string port) = place.Split('@') is [var number, var name] ? (name, number)
            : place.LastIndexOf(':') is > 0 and var colon ? (place[..colon], place[(colon + 1)..]) : ("", "");
        if (!ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort known) || known == 0) return null;
        if (host == "localhost") return new IPEndPoint(IPAddress.Loopback, known);
        return IPAddress.TryParse(host.TrimStart('[').TrimEnd(']'), out IPAddress? address) ? new IPEndPoint(address, known) : null;
    }
}
