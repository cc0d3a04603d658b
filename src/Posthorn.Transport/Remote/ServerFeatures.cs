using System.Globalization;

namespace Posthorn.Transport.Remote;

/// <summary>What a server offered in its reply to EHLO.</summary>
internal sealed record ServerFeatures
{
    /// <summary>The name by which it calls itself.</summary>
    public string Name { get; init; } = "";
    public bool Pipelining { get; init; }
    public bool EightBitMime { get; init; }
    public bool SmtpUtf8 { get; init; }
    public bool StartTls { get; init; }
    public bool Dsn { get; init; }
    public bool Size { get; init; }

    /// <summary>DELIVERBY (RFC 2852), and the shortest time that it takes for messages to be returned.</summary>
    public bool DeliverBy { get; init; }
    public long DeliverByMinimum { get; init; }

    /// <summary>CHUNKING and BINARYMIME, which only help together (RFC 3030).</summary>
    public bool Binary => Chunking && BinaryMime;
    public bool Chunking { get; init; }
    public bool BinaryMime { get; init; }
    public bool RequireTls { get; init; }

    /// <summary>The most recipients of one transaction, and of transactions in a session, and of domains in one transaction, that the server wants (RFC 9422); null when not said.</summary>
    public int? MaxRecipients { get; init; }
    public int? MaxMessages { get; init; }
    public int? MaxDomains { get; init; }

    /// <summary>The largest message taken; null when not said.</summary>
    public long? SizeLimit { get; init; }

    /// <summary>SASL mechanisms, upper case.</summary>
    public IReadOnlyList<string> Mechanisms { get; init; } = [];

    /// <summary>What a server offers that knows HELO alone.</summary>
    public static ServerFeatures None { get; } = new();

    /// <summary>Reads the lines of a reply to EHLO; words that are not known are left out (RFC 5321 section 4.1.1.1).</summary>
    public static ServerFeatures Read(string text)
    {
        string[] lines = text.Split('\n');
        ServerFeatures features = new() { Name = lines[0].Split(' ')[0] };
        foreach (string line in lines.Skip(1))
        {
            // Some servers write AUTH=LOGIN where others write AUTH LOGIN.
            string[] words = line.ToUpperInvariant().Split([' ', '='], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0) continue;
            features = words[0] switch
            {
                "PIPELINING" => features with { Pipelining = true },
                "8BITMIME" => features with { EightBitMime = true },
                "SMTPUTF8" => features with { SmtpUtf8 = true },
                "STARTTLS" => features with { StartTls = true },
                "CHUNKING" => features with { Chunking = true },
                "BINARYMIME" => features with { BinaryMime = true },
                "DELIVERBY" => features with { DeliverBy = true, DeliverByMinimum = words.Length > 1 && long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long least) ? least : 0 },
                "DSN" => features with { Dsn = true },
                "SIZE" => features with { Size = true, SizeLimit = words.Length > 1 && long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long limit) && limit > 0 ? limit : null },
                "REQUIRETLS" => features with { RequireTls = true },
                "LIMITS" => ReadLimits(features, words.AsSpan(1)),
                "AUTH" => features with { Mechanisms = [.. features.Mechanisms.Union(words.Skip(1))] },
                _ => features,
            };
        }
        return features;
    }

    // The words stand as NAME=VALUE, and have been split at the equals sign.
    private static ServerFeatures ReadLimits(ServerFeatures features, ReadOnlySpan<string> words)
    {
        for (int i = 0; i + 1 < words.Length; i += 2)
        {
            if (!int.TryParse(words[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out int limit) || limit == 0) continue;
            features = words[i] switch
            {
                "RCPTMAX" => features with { MaxRecipients = limit },
                "MAILMAX" => features with { MaxMessages = limit },
                "RCPTDOMAINMAX" => features with { MaxDomains = limit },
                _ => features,
            };
        }
        return features;
    }
}
